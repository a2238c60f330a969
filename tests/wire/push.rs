//! `comptoir push`: a file of stock, as people have it.

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use crate::rig::{Erp, Gateway, PROGRAM, text, until};
use crate::stock::{SOURCES, figure, gateway, source};

struct Folder(tempfile::TempDir);

impl Folder {
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

async fn push(target: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("push").args(arguments).args(["--target", target]).env_remove("COMPTOIR_LOG");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheets_file_is_pushed_and_pushing_it_again_does_no_harm() {
    let (_erp, gateway) = gateway();
    let folder = folder();
    let file = folder.write("stock.csv", "\u{feff}sku;quantity\r\nBOLT-8;55\r\n\"A;1\";3.5\r\nNUT-8;many\r\n");
    let arguments = [&*file, "--source", "erp", "--location", "LYON", "--measure", "ON_HAND"];
    let (code, said, wrong) = push(&gateway.address, &arguments).await;
    assert_eq!(code, 3, "{said}{wrong}");
    assert_eq!(said, format!("3 changes of {file}: 2 applied, 1 not taken\n"));
    assert!(wrong.starts_with("line 4: REJECTED malformed_decimal: quantity: is not a decimal"), "{wrong}");
    assert_eq!(figure(&gateway, "BOLT-8").await, "55");
    let (code, said, wrong) = push(&gateway.address, &arguments).await;
    assert_eq!(
        (code, &*said),
        (3, &*format!("3 changes of {file}: 0 applied, 2 known before, 1 not taken\n")),
        "{wrong}"
    );
    assert!(
        wrong.starts_with("line 4: REJECTED malformed_decimal"),
        "what was rejected is not taken for known: {wrong}"
    );
    // What is added is added once.
    let adds = folder.write("adds.csv", "kind,sku,quantity\nADD,BOLT-8,5\nADD,BOLT-8,5\n");
    let arguments = [&*adds, "--source", "erp", "--location", "LYON", "--measure", "ON_HAND", "--batch", "1"];
    for known in [0, 2] {
        let (code, said, wrong) = push(&gateway.address, &arguments).await;
        assert_eq!(code, 0, "{said}{wrong}");
        assert_eq!(said.contains("2 known before"), known == 2, "{said}");
        assert_eq!(figure(&gateway, "BOLT-8").await, "65");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_numbered_file_goes_on_where_its_source_is() {
    let (_erp, gateway) = gateway();
    let folder = folder();
    let line = |n: u64| format!("{n},SKU-{n},PARIS,ON_HAND,{n}\n");
    let head = "sequence,sku,location,measure,quantity\n";
    let part: String = (1..=30).map(line).collect();
    let (code, said, _) =
        push(&gateway.address, &[&folder.write("a.csv", &format!("{head}{part}")), "--source", "wms"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.ends_with("30 applied; wms is at 30\n"), "{said}");
    let all: String = (1..=60).map(line).collect();
    let whole = folder.write("b.csv", &format!("{head}{all}"));
    let (code, said, _) = push(&gateway.address, &[&whole, "--source", "wms"]).await;
    assert!(code == 0 && said.ends_with("30 applied, 30 known before; wms is at 60\n"), "{said}");
    // Another file that has the same numbers is not taken for the same.
    let other = folder.write("c.csv", &format!("{head}60,SKU-1,PARIS,ON_HAND,7\n{}", line(61)));
    let (code, said, wrong) = push(&gateway.address, &[&other, "--source", "wms"]).await;
    assert!(code == 3 && wrong.starts_with("line 2: CONFLICT sequence_reused"), "{said}{wrong}");
    let gap = folder.write("d.csv", &format!("{head}{}", line(70)));
    let (code, said, wrong) = push(&gateway.address, &[&gap, "--source", "wms"]).await;
    assert!(code == 1 && wrong.contains("line 2: changes from 62 on are missing"), "{said}{wrong}");
    let unnumbered = folder.write("e.csv", "sku,location,measure,quantity\nA,PARIS,ON_HAND,1\n");
    let (code, said, wrong) = push(&gateway.address, &[&unnumbered, "--source", "wms"]).await;
    assert!(code == 3 && wrong.contains("sequence_missing"), "{said}{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_tried_refused_and_forced() {
    let (_erp, gateway) = gateway();
    let folder = folder();
    let rows = |count: u32| (1..=count).fold(String::from("sku,quantity\n"), |csv, n| csv + &format!("S-{n},{n}\n"));
    let scope = ["--source", "erp", "--snapshot", "--location", "LYON", "--measure", "ON_HAND", "--sequence"];
    let put = async |file: &str, more: &[&str]| push(&gateway.address, &[&[file], &scope[..], more].concat()).await;
    let (all, few) = (folder.write("all.csv", &rows(200)), folder.write("few.csv", &rows(5)));
    let (code, said, wrong) = put(&all, &["1", "--dry-run"]).await;
    assert_eq!(
        (code, &*said),
        (0, &*format!("200 rows of {all}: 200 figures would move, 0 of them to zero; erp is at 1; nothing was done\n")),
        "{wrong}"
    );
    assert_eq!(gateway.levels("S-1").await.len(), 0);
    let (code, said, wrong) = put(&all, &["1"]).await;
    assert_eq!(
        (code, &*said),
        (0, &*format!("200 rows of {all}: 200 figures moved, 0 of them to zero; erp is at 1\n")),
        "{wrong}"
    );
    let (code, _, wrong) = put(&few, &["2"]).await;
    assert!(code == 1 && wrong.contains("195 of 200") && wrong.contains("too_many_zeros"), "{wrong}");
    let (code, said, wrong) = put(&few, &["2", "--force"]).await;
    assert!(code == 0 && said.contains("195 of them to zero"), "{said}{wrong}");
    let lines = folder.write(
        "rows.ndjson",
        "{\"sku\":\"S-1\",\"quantity\":\"9\"}\n{\"sku\":\"S-2\",\"quantity\":2}\n{\"rows\":\"2\"}\n",
    );
    let (code, said, wrong) = put(&lines, &["3", "--force"]).await;
    assert!(code == 3 && wrong.starts_with("line 2: malformed_decimal: quantity"), "{said}{wrong}");
    assert_eq!(figure(&gateway, "S-1").await, "9");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_said_in_a_line() {
    let (erp, gateway) = gateway();
    let folder = folder();
    let file = folder.write("a.csv", "sku,quantity\nA,1\n");
    let unnamed = folder.write("a.dat", "");
    let misspelt = folder.write("b.csv", "sku,qantity\nA,1\n");
    let here = &*gateway.address;
    for (target, arguments, code, names) in [
        (here, vec!["missing.csv", "--source", "erp"], 1, "missing.csv: cannot be opened"),
        (here, vec![&unnamed, "--source", "erp"], 1, "--format csv"),
        (here, vec![&misspelt, "--source", "erp"], 1, "is it \"quantity\"?"),
        (here, vec![&file, "--source", "nobody"], 1, "there is no source nobody (unknown_source)"),
        (here, vec![&file], 2, "--source"),
        (here, vec![&file, "--source", "erp", "--measure", "STOCK"], 2, "ON_HAND, RESERVED"),
        (here, vec![&file, "--source", "erp", "--force"], 2, "--snapshot"),
        ("127.0.0.1:1", vec![&file, "--source", "erp"], 1, "does not answer"),
        (&*erp.address, vec![&file, "--source", "erp"], 1, "is it a gateway?"),
    ] {
        let (told, said, wrong) = push(target, &arguments).await;
        assert!(told == code && wrong.contains(names), "{arguments:?}: {told} {said}{wrong}");
    }
    let (code, help, _) = push(here, &["--help"]).await;
    assert_eq!(code, 0);
    for column in [
        "sku",
        "quantity",
        "location",
        "measure",
        "row",
        "expectedOn",
        "expiresAt",
        "kind",
        "sequence",
        "after",
        "effectiveAt",
        "eventId",
    ] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(column)), "{column}: {help}");
    }
}

/// Passes connections on to where it is told; breaks them when it is told nothing.
async fn relay(to: Arc<Mutex<Option<String>>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let Some(to) = to.lock().unwrap().clone() else { continue };
            tokio::spawn(async move {
                if let Ok(mut far) = tokio::net::TcpStream::connect(to).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_outlives_a_crash_of_the_gateway() {
    let erp = Erp::start();
    let mut gateway = Gateway::serve("simulated.toml", &erp.url(), SOURCES);
    let to = Arc::new(Mutex::new(Some(gateway.address.clone())));
    let address = relay(to.clone()).await;
    let folder = folder();
    let lines = (2..=4000_u64)
        .fold(String::from("{\"sequence\":\"1\",\"sku\":\"A\",\"quantity\":\"1\"}\n"), |all, n| {
            all + &format!("{{\"sequence\":\"{n}\",\"kind\":\"ADD\",\"sku\":\"A\",\"quantity\":\"1\"}}\n")
        });
    let file = folder.write("moves.ndjson", &lines);
    let arguments = [&*file, "--source", "wms", "--location", "PARIS", "--measure", "ON_HAND", "--batch", "5"];
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let pushing =
        tokio::spawn(
            async move { push(&address, &arguments.iter().map(|argument| &**argument).collect::<Vec<_>>()).await },
        );
    for _ in 0..2 {
        let before = text(&source(&gateway, "wms").await, "/lastSequence").parse::<u64>().unwrap();
        until("it is under way", async || {
            let now = text(&source(&gateway, "wms").await, "/lastSequence").parse::<u64>().unwrap();
            now > before + 200 || now == 4000
        })
        .await;
        *to.lock().unwrap() = None;
        gateway = gateway.restart(true);
        *to.lock().unwrap() = Some(gateway.address.clone());
    }
    let (code, said, wrong) = pushing.await.unwrap();
    assert!(code == 0 && said.ends_with("; wms is at 4000\n"), "{said}{wrong}");
    assert!(wrong.contains("trying again"), "{wrong}");
    assert_eq!(figure(&gateway, "A").await, "4000", "each once");
}
