//! The document of a small API.

use serde_json::{Value, json};
use utoipa_axum::routes;

use super::*;

/// Makes a project.
#[utoipa::path(post, path = "/projects", tag = "projects", request_body = String,
    responses((status = 201, body = String), (status = 409, description = "`X`")))]
async fn handle() {}

/// One.
#[utoipa::path(get, path = "/projects/{id}", operation_id = "one", params(("id" = String, Path)),
    responses((status = 200, body = String)))]
async fn one() {}

/// Changes.
#[utoipa::path(method(put, patch), path = "/documents/{id}", operation_id = "change",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = String)))]
async fn change() {}

fn written() -> Value {
    let one: Routes = Routes::new().route(routes!(handle)).route(routes!(one));
    let other: Routes = Routes::new().route(routes!(change));
    serde_json::to_value(document(&one, &other)).expect("JSON")
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = written();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["paths"]["/projects"]["post"]["operationId"],
        "post_projects"
    );
    assert_eq!(
        document["paths"]["/documents/{id}"]["put"]["operationId"],
        "change"
    );
    assert_eq!(
        document["paths"]["/documents/{id}"]["patch"]["operationId"],
        "patch_documents_id"
    );
}

#[test]
fn a_write_takes_a_key_and_tells_its_refusals() {
    let document = written();
    let create = &document["paths"]["/projects"]["post"];
    assert_eq!(
        create["parameters"][0]["$ref"],
        "#/components/parameters/IdempotencyKey"
    );
    for status in [
        "400", "401", "403", "404", "413", "415", "422", "429", "500", "503",
    ] {
        let named = create["responses"][status]["$ref"]
            .as_str()
            .unwrap_or_default();
        assert!(named.starts_with("#/components/responses/"), "{status}");
        let name = named.rsplit('/').next().expect("a name");
        assert!(
            document["components"]["responses"][name].is_object(),
            "{name}"
        );
    }
    let own = &create["responses"]["409"];
    assert_eq!(own["description"], "`X`");
    assert_eq!(
        own["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Error"
    );
    assert_eq!(
        create["security"],
        json!([{"bearer": []}, {"password": []}])
    );
    let change = &document["paths"]["/documents/{id}"]["put"];
    assert_eq!(
        change["responses"]["412"]["$ref"],
        "#/components/responses/VersionMismatch"
    );
}

#[test]
fn health_is_for_everybody_and_takes_no_key() {
    let document = written();
    let health = &document["paths"]["/health"]["get"];
    assert_eq!(health["security"], json!([]));
    assert_eq!(health["parameters"], Value::Null);
    assert!(health["responses"]["401"].is_null());
}

#[test]
#[should_panic(expected = "does not name GET /secrets")]
fn a_route_that_the_table_does_not_name_is_not_taken() {
    #[utoipa::path(get, path = "/secrets", responses((status = 200, body = String)))]
    async fn secrets() {}
    let _: Routes = Routes::new().route(routes!(secrets));
}
