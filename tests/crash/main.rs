//! A gateway under load, killed at random instants, again and again; and each time what its journal had not synced is cut off
//! at random, for a kill alone never loses what was only written. Sources push over both wires and go on from where GetSource
//! says they are.
//!
//! After each start: every source is at or beyond what was acknowledged to it, at the end of a request it sent, and its levels
//! are what a model makes of its changes up to there, each counted once.
//!
//! `COMPTOIR_CRASH_ROUNDS` is how often; 30 where it is not set.

mod model;
mod pushers;

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use comptoir::journal::group::{segment_path, witnessed};
use model::{Draw, Source};
use pushers::Wire;

const ROUNDS: u64 = 30;

struct Rig {
    folder: tempfile::TempDir,
    witness: PathBuf,
    draw: Draw,
    /// Bytes that were written and not synced, and so were lost: in how many rounds, and how many.
    cut: (u64, u64),
}

/// The gateway: it never outlives its test.
struct Running(Child);

impl Running {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it is gone already, that was the point.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let preset = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/erp/simulated.toml");
        fs::copy(preset, folder.path().join("preset.toml")).unwrap();
        // Nobody is there: stock comes by itself.
        let config = "server.listen = \"127.0.0.1:0\"\nserver.admin = \"127.0.0.1:0\"\nserver.data = \"data\"\n\
                      erp.preset = \"preset.toml\"\nerp.url = \"http://127.0.0.1:9\"\nerp.time_zone = \"UTC\"\n\
                      stock.any_source = true\n";
        fs::write(folder.path().join("gateway.toml"), config).unwrap();
        let witness = folder.path().join("synced");
        Self { folder, witness, draw: Draw(7), cut: (0, 0) }
    }

    fn start(&self) -> (Running, String) {
        let programs = Path::new(env!("CARGO_BIN_EXE_comptoir")).parent().unwrap();
        let mut child = Command::new(programs.join("examples/crash_child"))
            .arg(self.folder.path().join("gateway.toml"))
            .arg(&self.witness)
            .current_dir(self.folder.path())
            .env("COMPTOIR_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).find(|line| line.starts_with("ready ")).expect("it starts");
        let address = ready.split("gateway=http://").nth(1).unwrap().split(' ').next().unwrap();
        let address = address.to_owned();
        (Running(child), address)
    }

    /// What the disk would have lost with the power.
    fn lose_what_was_not_synced(&mut self) {
        let journal = self.folder.path().join("data/stock/journal");
        let synced = witnessed(&self.witness).unwrap();
        let path = segment_path(&journal, synced.segment);
        let written = fs::metadata(&path).unwrap().len();
        assert!(written >= synced.at, "what was said to be synced is there");
        self.cut_at_random(&path, synced.at, written);
        // One that was begun, and of which nobody has heard yet.
        let next = segment_path(&journal, synced.segment + 1);
        if let Ok(metadata) = fs::metadata(&next) {
            if self.draw.chance(50) {
                fs::remove_file(&next).unwrap();
            } else {
                self.cut_at_random(&next, 0, metadata.len());
            }
        }
    }

    fn cut_at_random(&mut self, path: &Path, from: u64, to: u64) {
        let at = from + self.draw.below(to - from + 1);
        OpenOptions::new().write(true).open(path).unwrap().set_len(at).unwrap();
        self.cut = (self.cut.0 + u64::from(at < to), self.cut.1 + (to - at));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_change_is_lost_and_none_is_applied_twice() {
    let rounds =
        std::env::var("COMPTOIR_CRASH_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    let mut rig = Rig::new();
    let wires = [Wire::Grpc, Wire::Http, Wire::Grpc, Wire::Http];
    let mut sources: Vec<Source> = (0..wires.len()).map(Source::new).collect();
    for round in 0..=rounds {
        let (mut child, address) = rig.start();
        for source in &mut sources {
            let held = pushers::held(&address, source.number).await;
            source.check(&held).unwrap_or_else(|what| panic!("round {round}, source {}: {what}", source.number));
        }
        if round == rounds {
            // A good end for the last one is not needed.
            child.kill();
            break;
        }
        let address: Arc<str> = address.into();
        let pushing: Vec<_> = sources
            .drain(..)
            .zip(wires)
            .map(|(source, wire)| tokio::spawn(pushers::push(wire, address.clone(), source, rig.draw.below(u64::MAX))))
            .collect();
        tokio::time::sleep(Duration::from_micros(rig.draw.below(400_000))).await;
        child.kill();
        for pusher in pushing {
            sources.push(pusher.await.unwrap());
        }
        rig.lose_what_was_not_synced();
    }
    let taken: u64 = sources.iter().map(|source| source.acknowledged).sum();
    let (cuts, bytes) = rig.cut;
    println!(
        "{rounds} crashes, {taken} changes acknowledged; {cuts} times {bytes} bytes in all were written and not synced"
    );
    assert!(taken > rounds * 10, "there was load: {taken}");
    assert!(cuts > rounds / 10, "there was something to lose: {cuts}");
}
