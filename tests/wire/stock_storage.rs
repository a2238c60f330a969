//! The ledger's disk: what is acknowledged survives stops and crashes, and a full disk ends the intake and nothing else.

use std::process::Command;

use reqwest::Method;
use serde_json::json;

use crate::rig::{Erp, Gateway, PROGRAM, text};
use crate::stock::{CSV, SOURCES, applied, availability, change, figure, gateway, offer, request, set, source};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_or_a_crash_loses_nothing_that_was_acknowledged() {
    let (_erp, mut gateway) = gateway();
    let csv = "sku,quantity\nBOLT-8,41\nSKU-000001,42\n";
    let path = "/v1/stock/snapshots?source=erp&sequence=5&location=LYON&measure=ON_HAND&rows=2";
    assert_eq!(gateway.send(Method::PUT, path, CSV, csv).await.status, 200);
    let mut next = 1;
    for round in 0..4 {
        let first = next;
        for _ in 0..25 {
            let kind = if next == 1 { "SET" } else { "ADD" };
            applied(
                &gateway,
                request("wms", [change(next, kind, "BOLT-8", "2"), set(next + 1, "A", &next.to_string())]),
            )
            .await;
            next += 2;
        }
        let rejected = gateway.push(request("wms", [change(next, "ADD", "NEVER", "1")])).await;
        let said = rejected.json["results"][0].clone();
        next += 1;
        gateway = gateway.restart(round % 2 == 1);
        let report = source(&gateway, "wms").await;
        assert_eq!(
            (text(&report, "/lastSequence"), text(&report, "/state")),
            ((next - 1).to_string().as_str(), "IN_SEQUENCE")
        );
        let levels = gateway.levels("BOLT-8").await;
        let figures: Vec<_> = levels.iter().map(|level| (text(level, "/location"), text(level, "/quantity"))).collect();
        assert_eq!(figures, [("LYON", "41"), ("PARIS", &*((round + 1) * 50).to_string())]);
        let unnamed = offer(&gateway, "LIST", "SKU-000002").await;
        let lyon =
            unnamed["availability"]["locations"].as_array().unwrap().iter().find(|place| place["location"] == "LYON");
        assert_eq!(text(lyon.unwrap(), "/available"), "0", "what was complete is: {unnamed}");
        // What was said is said again: also to a change that was rejected.
        let again = gateway
            .push(request("wms", [set(first + 1, "A", &first.to_string()), change(next - 1, "ADD", "NEVER", "1")]))
            .await;
        let results = again.json["results"].as_array().unwrap();
        assert_eq!((text(&results[0], "/verdict"), text(&results[0], "/original/verdict")), ("DUPLICATE", "APPLIED"));
        assert_eq!(
            (text(&results[1], "/verdict"), text(&results[1], "/original/reason")),
            ("DUPLICATE", text(&said, "/reason"))
        );
    }
    assert_eq!(figure(&gateway, "A").await, (next - 3).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_intake_and_reads_go_on() {
    let erp = Erp::start();
    let gateway = Gateway::serve_on_a_small_disk(&Gateway::preset("simulated.toml"), &erp.url(), SOURCES);
    applied(&gateway, request("wms", [set(1, "BOLT-8", "7")])).await;
    let process = gateway.process.id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &process, "--fsize=1:unlimited"]).status().unwrap();
    assert!(limited.success());
    let refused = async |request| {
        let answer = gateway.push(request).await;
        assert_eq!((answer.status, answer.reason()), (503, "intake_read_only"), "{}", answer.json);
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    };
    refused(request("wms", [set(2, "BOLT-8", "8")])).await;
    // Room comes back: what could not be written may be half there, so only a start makes it good.
    let freed = Command::new("prlimit").args(["--pid", &process, "--fsize=unlimited:unlimited"]).status().unwrap();
    assert!(freed.success());
    refused(request("wms", [set(2, "BOLT-8", "8")])).await;
    refused(json!({ "source": "wms", "sequence": "2" })).await;
    let path = "/v1/stock/snapshots?source=wms&sequence=9&location=PARIS&measure=ON_HAND&rows=0&force=true";
    let snapshot = gateway.send(Method::PUT, path, CSV, "sku,quantity\n").await;
    assert_eq!((snapshot.status, snapshot.reason()), (503, "intake_read_only"), "{}", snapshot.json);
    let stream =
        gateway.peer.call_in_stream(&gateway.address, "PushChanges", &json!([request("wms", [set(2, "BOLT-8", "8")])]));
    assert_eq!((stream.code.as_str(), stream.reason.as_str()), ("UNAVAILABLE", "intake_read_only"), "{stream:?}");

    assert_eq!(availability(&offer(&gateway, "LIST", "BOLT-8").await), ("7", "LEDGER", ""), "as it was acknowledged");
    assert_eq!(
        (figure(&gateway, "BOLT-8").await.as_str(), text(&source(&gateway, "wms").await, "/lastSequence")),
        ("7", "1")
    );
    gateway.still_answers().await;
    let ready = gateway.admin_page("/readyz").await;
    assert!(ready.0 == 200 && ready.1.contains("NOT TAKEN") && ready.1.contains("intake_read_only"), "{ready:?}");
    crate::rig::until("the metric says so", async || {
        gateway.admin_page("/metrics").await.1.contains("comptoir_stock_intake_open 0")
    })
    .await;
    let gateway = gateway.restart(false);
    assert_eq!(figure(&gateway, "BOLT-8").await, "7");
    applied(&gateway, request("wms", [set(2, "BOLT-8", "8")])).await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_is_said_at_the_start() {
    let erp = Erp::start();
    let start = |config: &std::path::Path| {
        let output =
            Command::new(PROGRAM).args(["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let mut gateway = Gateway::serve("simulated.toml", &erp.url(), SOURCES);
    applied(&gateway, request("wms", [set(1, "BOLT-8", "7")])).await;
    gateway.process.kill();
    let (config, folder) = (gateway.config(), gateway.config().parent().unwrap().join("data/stock"));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("server.data = \"data\"\n", "")).unwrap();
    assert!(start(&config).contains("[stock] needs server.data"));
    std::fs::write(&config, text).unwrap();
    // A byte of what was acknowledged, and is not kept elsewhere.
    std::fs::remove_dir_all(folder.join("rows")).unwrap();
    let journal = std::fs::read_dir(folder.join("journal")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&journal, bytes).unwrap();
    let said = start(&config);
    for part in ["stock ledger", "cannot be opened", &*journal.display().to_string()] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
