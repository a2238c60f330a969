//! `comptoir load` against a gateway and its ERP: what it counts is what they say.

use std::process::{Command, Output};

use serde_json::Value;

use crate::rig::{Erp, Gateway};

fn load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comptoir")).arg("load").args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_over_both_wires_ends_by_itself_and_agrees_with_the_erp() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    // Calls before the load are none of its.
    gateway.still_answers().await;
    let target = gateway.url("");
    let run = |more: &[&str]| {
        let fixed = ["--target", &target, "--rate", "40", "--duration", "2s", "--skus", "500", "--customers", "5"];
        load(&[&fixed[..], more].concat())
    };
    let output = run(&["--erp", &erp.url(), "--timeout", "20s", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pages = report["pages"]["sent"].as_u64().unwrap();
    assert!(pages > 0 && report["pages"]["answered"] == pages && report["pages"]["failed"] == 0, "{report}");
    assert!(report["lines"]["asked"].as_u64().unwrap() >= pages * 24, "{report}");
    // With so much time nothing is left out; some lines are not for sale or on request, and those are answers.
    assert_eq!(report["lines"]["asked"], report["lines"]["answered"], "{report}");
    let statuses: Vec<_> = report["statuses"].as_array().unwrap().iter().map(|share| &share["what"]).collect();
    assert!(statuses.contains(&&Value::from("OK")) && statuses.len() > 1, "{report}");
    let stats = erp.stats().await;
    for counter in ["calls", "refused", "lines", "inFlightPeak", "callsPerMinutePeak"] {
        assert_eq!(report["erp"][counter], stats[counter], "{counter}: {report}");
    }
    assert!(stats["calls"].as_u64().unwrap() > 0, "{stats}");

    // The same pages again are in memory, and people read the report.
    let output = run(&["--wire", "grpc", "--mix", "LIST=1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("prices    MEMORY"), "{text}");
}

#[test]
fn a_load_is_not_pointed_at_another_machine_by_mistake() {
    let output = load(&["--target", "http://192.0.2.1:7070"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("--allow-remote"), "{said}");
}

#[test]
fn where_nobody_answers_it_says_so() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = load(&["--target", &format!("127.0.0.1:{port}"), "--duration", "1s"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("no connection"), "{said}");
}
