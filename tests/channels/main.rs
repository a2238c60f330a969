//! Files of channels as their readers see them: against copies that are kept (a difference is a decision), and read by other
//! programs than ours: Python's csv, json, zipfile and XML, Google's own protobuf classes, and a JSON schema.

mod amazon;
mod golden;
mod hostile;
mod rows;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use comptoir::channel::formats::{self, File, FileStamp};
use comptoir::channel::{ChannelConfig, ChannelRow};
use serde_json::Value;

const STAMP: FileStamp = FileStamp { channel: "marche", cursor: "aZmFrZS1jdXJzb3I", watermark: 1_764_079_200_000_123 };

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels")
}

fn python() -> Command {
    let name = "COMPTOIR_TEST_PYTHON";
    Command::new(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run the tests with tests/run")))
}

fn written(format: &str, config: &ChannelConfig, rows: &[ChannelRow]) -> (File, Vec<u8>) {
    let rows: Vec<Arc<ChannelRow>> = rows.iter().cloned().map(Arc::new).collect();
    let (mut file, mut out) = (formats::by_name(format).unwrap().open(config).unwrap(), Vec::new());
    file.begin(&STAMP, &mut out);
    for chunk in rows.chunks(5) {
        file.rows(chunk, &mut out);
    }
    file.end(&mut out);
    (file, out)
}

/// On disk, for programs that read files. Gone with the handle.
fn saved(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// What Python finds in a file.
fn read(kind: &str, bytes: &[u8]) -> Value {
    let file = saved(bytes);
    let output = python().arg(folder().join("read.py")).arg(kind).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn check_schema(schema: &Path, bytes: &[u8]) -> Output {
    let file = saved(bytes);
    let mut check = python();
    check.args(["-m", "check_jsonschema", "--schemafile"]).arg(schema).arg(file.path()).output().unwrap()
}
