//! What holders of released data are told of people who were erased.

use crate::{deeds::by, house::House};
use domain::{ProjectRole, Submission, User, submission::SubmissionCommand, user::UserCommand};
use event_store::{Also, Erase};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_told_which_items_were_an_erased_persons() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let (dana, stranger) = (house.person("dana").await, house.person("eve").await);
    let project = house.project(&amina, "Letters").await;
    for who in [&bilal, &dana] {
        let role = ProjectRole::Contributor;
        house.join(&amina, project, who, role).await;
    }
    let kept = house.raw_text(&bilal, project, "Kept").await;
    house.item(&bilal, kept, SubmissionCommand::Submit).await;
    let draft = house.raw_text(&bilal, project, "Draft").await;
    house.raw_text(&dana, project, "Dana's").await;
    let also = |erase| Also {
        erase: Some(erase),
        ..Also::default()
    };
    let context = by(bilal.id);
    let person = also(Erase::Person(bilal.id));
    let erased = house
        .store
        .execute_with::<User>(bilal.id, UserCommand::Erase, &context, person);
    erased.await.expect("an erasure");
    let item = also(Erase::Item(draft));
    let erased =
        house
            .store
            .execute_with::<Submission>(draft, SubmissionCommand::Erase, &context, item);
    erased.await.expect("an erased draft");
    house.settled().await;

    let path = format!("/projects/{project}/erasures");
    let listed = house.get(&amina, &path).await.ok();
    let rows: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            (
                row["item_id"].clone(),
                row["item_type"].clone(),
                row["reason"].clone(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (json!(kept), json!("raw_text"), json!("owner_erased")),
            (json!(draft), json!("raw_text"), json!("item_erased")),
        ]
    );
    let first = house.get(&amina, &format!("{path}?limit=1")).await;
    assert!(
        first
            .header("link")
            .is_some_and(|link| link.contains("next"))
    );
    assert_eq!(first.ok().as_array().map(Vec::len), Some(1));
    let refused = house.get(&dana, &path).await.refusal();
    assert_eq!(refused, (403, "FORBIDDEN".into()));
    let refused = house.get(&stranger, &path).await.refusal();
    assert_eq!(refused, (404, "NOT_FOUND".into()));
    let gone = house.get(&bilal, "/projects").await;
    assert_eq!(gone.status.as_u16(), 401);
    let members = format!("/projects/{project}/members");
    let members = house.get(&amina, &members).await.ok();
    let theirs = members.as_array().expect("members").iter();
    let mut theirs = theirs.filter(|member| member["user_id"] == json!(bilal.id));
    assert_eq!(
        theirs.next().expect("until the policy ran")["email"],
        json!(null)
    );
}
