//! `peer.py`: a Python client built from `proto/`, and the judge of our JSON.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::process::environment;

pub struct Peer {
    child: Child,
    /// One question at a time.
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// What a gRPC call came to.
#[derive(Debug)]
pub struct Grpc {
    /// "OK", "INVALID_ARGUMENT", …
    pub code: String,
    pub reason: String,
    pub path: String,
    pub detail: String,
    pub responses: Vec<Value>,
}

impl Peer {
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/peer.py");
        let mut child = Command::new(environment("COMPTOIR_TEST_PYTHON"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, pipes: Mutex::new(pipes) }
    }

    fn ask(&self, command: &Value) -> Value {
        let (stdin, stdout) = &mut *self.pipes.lock().unwrap();
        writeln!(stdin, "{command}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("peer.py is gone, asked {command}"))
    }

    /// Fails unless Python's protobuf reads this text as that message and prints it back equal.
    pub fn read(&self, message: &str, text: &str) {
        let verdict = self.ask(&json!({ "do": "read", "message": message, "text": text }));
        assert!(verdict["error"].is_null(), "not a canonical {message}: {}\n{text}", verdict["error"]);
    }

    pub fn call(&self, target: &str, method: &str, request: &Value, timeout: &str) -> Grpc {
        let timeout: Value = serde_json::from_str(timeout).unwrap();
        self.answer(json!({ "do": "call", "target": target, "method": method, "request": request, "timeout": timeout }))
    }

    /// A call that takes many messages.
    pub fn call_in_stream(&self, target: &str, method: &str, requests: &Value) -> Grpc {
        self.answer(json!({ "do": "call", "target": target, "method": method, "requests": requests, "timeout": 120 }))
    }

    /// `PushChanges` of this request over and over, at most so many times, without reading an answer. Returns how many were
    /// taken off its hands before nothing moved for two seconds; the call stays.
    pub fn stall(&self, target: &str, request: &Value, times: u64) -> u64 {
        let answer = self.ask(&json!({ "do": "stall", "target": target, "request": request, "times": times }));
        answer["taken"].as_u64().unwrap()
    }

    /// `GetOffers` with these bytes for a message.
    pub fn call_with_bytes(&self, target: &str, bytes: &[u8]) -> Grpc {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.answer(json!({ "do": "call", "target": target, "method": "GetOffers", "bytes": hex }))
    }

    fn answer(&self, command: Value) -> Grpc {
        let answer = self.ask(&command);
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let responses = answer["responses"].as_array().cloned().unwrap_or_default();
        Grpc { code: text("code"), reason: text("reason"), path: text("path"), detail: text("detail"), responses }
    }

    /// "SERVING", or why there is no answer.
    pub fn health(&self, target: &str, service: &str) -> String {
        let answer = self.ask(&json!({ "do": "health", "target": target, "service": service }));
        answer["status"].as_str().or(answer["code"].as_str()).unwrap_or_default().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
