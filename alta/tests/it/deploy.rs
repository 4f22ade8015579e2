//! What `deploy/` and `docker-compose.yml` say, held against the code and `docs/operations.md`: metrics
//! that there are, runbooks that are written, parts and settings that exist, pods that are fenced in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use test_kit::workspace;

const PARTS: [&str; 5] = [
    "command-api",
    "query-api",
    "relay",
    "projectors",
    "processors",
];
/// What may stand in an expression beside metrics.
const WORDS: [&str; 15] = [
    "absent",
    "and",
    "clamp_min",
    "count",
    "delta",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "rate",
    "scalar",
    "sum",
    "topk",
    "or",
    "unless",
];

fn read(path: &str) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let directory = workspace().join(directory);
    let entries = fs::read_dir(&directory).expect("a directory");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    assert!(!paths.is_empty(), "no *{ending} in {}", directory.display());
    paths
}

/// Every document of a YAML text, with merge keys resolved.
fn documents(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(text)
        .map(|document| {
            let mut value = serde_yaml_ng::Value::deserialize(document).expect("YAML");
            value.apply_merge().expect("merge keys");
            serde_json::to_value(value).expect("what JSON can say")
        })
        .collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// The names of all metrics that the code sets, histograms with their suffixes.
fn emitted() -> BTreeSet<String> {
    let call = Regex::new(r#"(counter|gauge|histogram)!\(\s*"(\w+)""#).expect("a pattern");
    let mut names = BTreeSet::new();
    let mut open = vec![workspace().to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "tests" {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let source = fs::read_to_string(&path).expect("a source");
                for found in call.captures_iter(&source) {
                    let suffixes: &[&str] = match &found[1] {
                        "histogram" => &["_bucket", "_sum", "_count"],
                        _ => &[""],
                    };
                    names.extend(
                        suffixes
                            .iter()
                            .map(|suffix| format!("{}{suffix}", &found[2])),
                    );
                }
            }
        }
    }
    names
}

/// What an expression asks for: all its words but functions, labels, durations and strings.
fn asked(expression: &str) -> BTreeSet<String> {
    let aside =
        Regex::new(r"\{[^}]*\}|\[[^\]]*\]|\boffset \w+|\b(by|without|on|ignoring)\s*\([^)]*\)");
    let word = Regex::new(r"[A-Za-z_:][\w:]*").expect("a pattern");
    let bare = aside.expect("a pattern").replace_all(expression, " ");
    word.find_iter(&bare)
        .map(|found| found.as_str().to_owned())
        .filter(|name| !WORDS.contains(&name.as_str()))
        .collect()
}

#[track_caller]
fn is_balanced(expression: &str) {
    let mut open = vec![];
    for sign in expression.chars() {
        match sign {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => assert_eq!(open.pop(), Some(sign), "{expression}"),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{expression}");
}

fn alerts() -> Vec<Value> {
    let rules = documents(&read("deploy/prometheus/alerts.yml"));
    let groups = list(&rules[0], "/groups").iter();
    groups
        .flat_map(|group| list(group, "/rules").to_vec())
        .collect()
}

fn dashboard_queries() -> Vec<String> {
    let board: Value = serde_json::from_str(&read("deploy/grafana/dashboards/alta.json"))
        .expect("the dashboard is JSON");
    let panels = list(&board, "/panels").iter();
    panels
        .flat_map(|panel| list(panel, "/targets"))
        .map(|target| text(target, "/expr").to_owned())
        .collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_the_service_has_and_miss_none() {
    let alerts = alerts();
    let mut expressions = dashboard_queries();
    assert!(expressions.len() > 20, "{} queries", expressions.len());
    expressions.extend(alerts.iter().map(|alert| text(alert, "/expr").to_owned()));
    let mut known = emitted();
    assert!(known.len() > 25, "{known:?}");
    known.insert("up".to_owned());
    let mut all = BTreeSet::new();
    for expression in &expressions {
        is_balanced(expression);
        let asked = asked(expression);
        assert!(!asked.is_empty(), "{expression} asks for nothing");
        for name in &asked {
            assert!(known.contains(name), "{name} is no metric, in {expression}");
        }
        all.extend(asked);
    }
    let stem = |name: &str| {
        let short = ["_bucket", "_sum", "_count"];
        let short = short.iter().find_map(|suffix| name.strip_suffix(suffix));
        short.unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<String> = all.iter().map(|name| stem(name)).collect();
    for name in &known {
        assert!(shown.contains(&stem(name)), "{name} is nowhere to be seen");
    }
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_runbook_and_every_runbook_an_alert() {
    let operations = read("docs/operations.md");
    let headings: BTreeSet<&str> = operations
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|heading| heading.starts_with("Alta"))
        .collect();
    let alerts = alerts();
    let mut names = BTreeSet::new();
    for alert in &alerts {
        let name = text(alert, "/alert");
        let severity = text(alert, "/labels/severity");
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}: {severity}"
        );
        assert!(text(alert, "/annotations/summary").len() > 10, "{name}");
        let runbook = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(text(alert, "/annotations/runbook"), runbook);
        assert!(headings.contains(name), "no heading for {name}");
        assert!(names.insert(name), "{name} is there twice");
    }
    assert_eq!(names, headings);
}

#[test]
fn somebody_hears_of_lag_dead_letters_errors_and_failed_sign_ins() {
    let asked: BTreeSet<String> = alerts()
        .iter()
        .flat_map(|alert| asked(text(alert, "/expr")))
        .collect();
    for name in [
        "alta_relay_published_position",
        "alta_projection_lag_seconds",
        "alta_read_replica_lag_events",
        "alta_dead_letters",
        "alta_http_requests_total",
        "alta_sign_ins_failed_total",
    ] {
        assert!(asked.contains(name), "nothing is said of {name}");
    }
}

#[test]
fn the_image_is_built_in_stages_and_runs_as_nobody_special_with_a_health_check() {
    let text = read("Dockerfile");
    let stages: Vec<&str> = text.split("\nFROM ").collect();
    assert_eq!(stages.len(), 3, "a comment, what builds, what runs");
    let last = stages[2];
    assert!(!last.contains("rust:"), "no compiler is in the image");
    let user = last.lines().find_map(|line| line.strip_prefix("USER "));
    assert!(user.is_some_and(|user| user != "root" && user != "0"));
    let check = last
        .lines()
        .position(|line| line.starts_with("HEALTHCHECK "));
    assert!(check.is_some());
    assert!(last.contains("/health/live"), "it asks the part itself");
}

#[test]
fn events_are_kept_on_as_many_servers_as_there_are() {
    let manifests = manifests();
    let wanted = text(&manifests["config.yaml"][0], "/data/NATS_STREAM_REPLICAS").to_owned();
    let servers = workloads(&manifests)
        .into_iter()
        .find(|one| one["metadata"]["name"] == "nats")
        .and_then(|one| one.pointer("/spec/replicas"))
        .expect("how many servers there are");
    assert_eq!(servers.to_string(), wanted);
    assert_eq!(wanted, "3");
}

#[test]
fn compose_has_every_part_healthy_in_order_and_free_to_be_several() {
    let compose = documents(&read("docker-compose.yml")).remove(0);
    for part in PARTS {
        let service = &compose["services"][part];
        assert_eq!(service["command"], serde_json::json!([part]));
        for fixed in ["container_name", "ports", "hostname"] {
            assert!(
                service.get(fixed).is_none(),
                "{part} cannot be several: {fixed}"
            );
        }
        assert!(service.pointer("/healthcheck/test").is_some(), "{part}");
        let after = &service["depends_on"];
        assert_eq!(
            after["migrate"]["condition"],
            "service_completed_successfully"
        );
        assert_eq!(after["nats"]["condition"], "service_healthy");
        assert_eq!(after["objects"]["condition"], "service_healthy");
    }
    let services = compose["services"].as_object().expect("services");
    for (name, service) in services {
        let Some(after) = service.get("depends_on") else {
            continue;
        };
        for (other, how) in after.as_object().expect("with conditions") {
            let other_service = services.get(other).unwrap_or_else(|| panic!("no {other}"));
            if how["condition"] == "service_healthy" {
                let check = other_service.pointer("/healthcheck/test");
                assert!(
                    check.is_some(),
                    "{name} waits for {other}, which has no check"
                );
            }
        }
        for volume in list(service, "/volumes") {
            let from = volume.as_str().and_then(|text| text.split(':').next());
            let Some(file) = from.filter(|from| from.starts_with("./")) else {
                continue;
            };
            assert!(workspace().join(file).exists(), "{name} mounts {file}");
        }
    }
}

/// What Kubernetes is told, by file.
fn manifests() -> BTreeMap<String, Vec<Value>> {
    let named = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    files("deploy/kubernetes", ".yaml")
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a manifest");
            (named(path), documents(&text))
        })
        .collect()
}

fn workloads(manifests: &BTreeMap<String, Vec<Value>>) -> Vec<&Value> {
    let kinds = ["Deployment", "StatefulSet", "Job"];
    let all = manifests.values().flatten();
    all.filter(|one| kinds.contains(&one["kind"].as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn every_pod_is_fenced_in_and_every_part_probed_spread_and_guarded() {
    let manifests = manifests();
    let workloads = workloads(&manifests);
    for workload in &workloads {
        let name = text(workload, "/metadata/name");
        let pod = workload.pointer("/spec/template/spec").expect("a pod");
        assert_eq!(
            pod.pointer("/securityContext/runAsNonRoot"),
            Some(&true.into()),
            "{name}"
        );
        assert_eq!(
            text(pod, "/securityContext/seccompProfile/type"),
            "RuntimeDefault"
        );
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        let containers = list(pod, "/containers");
        assert!(!containers.is_empty(), "{name}");
        for container in containers {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
            text(container, "/resources/requests/cpu");
            text(container, "/resources/requests/memory");
            text(container, "/resources/limits/memory");
            if workload["kind"] != "Job" {
                for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                    text(container, &format!("/{probe}/httpGet/path"));
                }
            }
        }
    }
    for part in PARTS {
        let of = |kind: &str| {
            let mut all = manifests.values().flatten();
            all.find(|one| one["kind"] == kind && one["metadata"]["name"] == part)
        };
        let workload = workloads
            .iter()
            .find(|one| one["metadata"]["name"] == part)
            .unwrap_or_else(|| panic!("no {part}"));
        let container = workload.pointer("/spec/template/spec/containers/0");
        let container = container.expect("a container");
        assert_eq!(container["args"], serde_json::json!([part]));
        assert_eq!(
            text(container, "/livenessProbe/httpGet/path"),
            "/health/live"
        );
        assert_eq!(
            text(container, "/readinessProbe/httpGet/path"),
            "/health/ready"
        );
        let budget = of("PodDisruptionBudget").expect("a budget");
        assert_eq!(
            budget["spec"]["selector"], workload["spec"]["selector"],
            "{part}'s budget is about its pods"
        );
        assert_eq!(
            workload.pointer("/spec/selector/matchLabels"),
            workload.pointer("/spec/template/metadata/labels")
        );
        match part {
            "command-api" | "query-api" => assert!(of("HorizontalPodAutoscaler").is_some()),
            "processors" => {
                let query = of("ScaledObject").expect("it is scaled by its queues");
                let query = text(query, "/spec/triggers/0/metadata/query");
                is_balanced(query);
                let known = emitted();
                assert!(
                    asked(query).iter().all(|name| known.contains(name)),
                    "{query}"
                );
            }
            _ => {}
        }
    }
}

#[test]
fn the_kustomization_names_every_file_but_the_example() {
    let manifests = manifests();
    let resources = list(&manifests["kustomization.yaml"][0], "/resources");
    let named: BTreeSet<&str> = resources.iter().filter_map(Value::as_str).collect();
    let there: BTreeSet<&str> = manifests
        .keys()
        .map(String::as_str)
        .filter(|name| !["kustomization.yaml", "secret.example.yaml"].contains(name))
        .collect();
    assert_eq!(named, there);
}

#[test]
fn every_setting_that_is_made_is_one_of_ours() {
    let example = read(".env.example");
    let known: BTreeSet<&str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let mut made: Vec<(String, String)> = vec![];
    let mut note = |place: &str, settings: &Value| {
        let settings = settings.as_object().expect("settings");
        made.extend(settings.keys().map(|name| (place.to_owned(), name.clone())));
    };
    let compose = documents(&read("docker-compose.yml")).remove(0);
    for part in PARTS {
        note(part, &compose["services"][part]["environment"]);
    }
    let manifests = manifests();
    note("config.yaml", &manifests["config.yaml"][0]["data"]);
    note(
        "secret.example.yaml",
        &manifests["secret.example.yaml"][0]["stringData"],
    );
    for path in files("deploy/systemd", ".service") {
        let unit = fs::read_to_string(&path).expect("a unit");
        let settings = unit
            .lines()
            .filter_map(|line| line.strip_prefix("Environment="));
        for name in settings.filter_map(|line| line.split_once('=')) {
            made.push((path.display().to_string(), name.0.to_owned()));
        }
    }
    assert!(made.len() > 50, "{made:?}");
    for (place, name) in &made {
        assert!(
            known.contains(name.as_str()),
            "{place}: {name} is no setting of ours"
        );
    }
}

#[test]
fn systemd_has_every_part_under_one_target_each_fenced_in() {
    let target = read("deploy/systemd/alta.target");
    let mut ports = BTreeSet::new();
    for part in PARTS.into_iter().chain(["migrate"]) {
        let unit = read(&format!("deploy/systemd/alta-{part}.service"));
        assert!(
            unit.contains(&format!("\nExecStart=/usr/local/bin/alta {part}\n")),
            "{part}"
        );
        for line in [
            "User=alta",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "PartOf=alta.target",
        ] {
            assert!(unit.lines().any(|there| there == line), "{part}: {line}");
        }
        assert!(
            target.contains(&format!(" alta-{part}.service"))
                || target.contains(&format!("=alta-{part}.service")),
            "{part}"
        );
        if let Some(port) = unit
            .lines()
            .find_map(|line| line.strip_prefix("Environment=PORT="))
        {
            assert!(ports.insert(port.to_owned()), "two parts on port {port}");
        }
    }
    assert_eq!(ports.len(), PARTS.len());
}
