//! A real Tryton in which things move: the seeded one once more, with a database and a server of the test's own, and the
//! pusher of our module beside it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{environment, http_client, text};

/// What a test that moves things needs to name.
pub const WAREHOUSES: [&str; 2] = ["WH", "WH2"];

pub struct Warehouse {
    tryton: Tryton,
    folder: TempDir,
    python: PathBuf,
    port: Value,
    client: reqwest::Client,
    session: String,
    user: Value,
    ids: Value,
}

impl Warehouse {
    /// As it was seeded. What moves in it is to be pushed to this URL.
    pub async fn open(push_url: &str) -> Self {
        let (seeded, folder) = (PathBuf::from(environment("TRYTON_DIR")), tempfile::tempdir().unwrap());
        fs::copy(seeded.join("pristine.sqlite"), folder.path().join("tryton.sqlite")).unwrap();
        let config = fs::read_to_string(seeded.join("trytond.conf")).unwrap();
        let config = config.lines().map(|line| match line.split(' ').next() {
            Some("path") => format!("path = {}\n", folder.path().display()),
            Some("push_url") => format!("push_url = {push_url}\n"),
            _ => format!("{line}\n"),
        });
        fs::write(folder.path().join("trytond.conf"), config.collect::<String>()).unwrap();
        let python = seeded.join("venv/bin/python");
        let mut warehouse = Self {
            tryton: Tryton::start(&python, &folder),
            folder,
            python,
            port: Value::Null,
            client: http_client(),
            session: String::new(),
            user: Value::Null,
            ids: serde_json::from_str(&fs::read_to_string(seeded.join("ids.json")).unwrap()).unwrap(),
        };
        warehouse.port = warehouse.tryton.command(&json!({ "do": "serve" }))["port"].clone();
        warehouse.sign_on().await;
        warehouse
    }

    async fn sign_on(&mut self) {
        self.session.clear();
        let login = self.call("common.db.login", json!(["admin", { "password": "admin-demo" }])).await;
        let session = format!("admin:{}:{}", login[0], text(&login, "/1"));
        self.user = login[0].clone();
        self.session = base64::engine::general_purpose::STANDARD.encode(session);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/tryton", self.port)
    }

    /// What it answers, or why it does not.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Value, Value> {
        let body = json!({ "id": 1, "method": method, "params": params }).to_string();
        let mut request = self.client.post(format!("{}/rpc/", self.url())).body(body);
        request = request.header("content-type", "application/json");
        if !self.session.is_empty() {
            request = request.header("authorization", format!("Session {}", self.session));
        }
        let response = request.send().await.unwrap();
        let (status, body) = (response.status(), response.text().await.unwrap());
        assert_eq!(status.as_u16(), 200, "{method}: {body}");
        let mut answer: Value = serde_json::from_str(&body).unwrap();
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].take()),
        }
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.ask(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn context(&self) -> Value {
        json!({ "company": self.ids["company"] })
    }

    /// The record of an article.
    pub fn product(&self, sku: &str) -> &Value {
        &self.ids["products"][sku]
    }

    /// Of a place: a warehouse's storage zone, the suppliers (`SUP`) or the customers (`CUS`).
    async fn place(&self, code: &str) -> Value {
        let fields = json!([[["code", "=", code]], 0, null, null, ["storage_location"], self.context()]);
        let found = self.call("model.stock.location.search_read", fields).await;
        let zone = &found[0]["storage_location"];
        if zone.is_null() { found[0]["id"].clone() } else { zone.clone() }
    }

    /// A move that is planned, in `days`; its record.
    pub async fn plan(&self, sku: &str, quantity: u32, unit: &str, route: [&str; 2], days: i32) -> Value {
        let today: jiff::civil::Date = crate::truth::Truth::read().date().parse().unwrap();
        let day = today.checked_add(jiff::Span::new().days(days)).unwrap();
        let mut planned = json!({
            "company": self.ids["company"], "product": self.product(sku), "quantity": quantity,
            "unit": self.ids["units"][unit], "from_location": self.place(route[0]).await,
            "to_location": self.place(route[1]).await,
            "planned_date": { "__class__": "date", "year": day.year(), "month": day.month(), "day": day.day() },
        });
        // Between two warehouses nothing is bought or sold.
        if !route.iter().all(|place| WAREHOUSES.contains(place)) {
            planned["currency"] = self.ids["currencies"]["EUR"].clone();
            planned["unit_price"] = json!({ "__class__": "Decimal", "decimal": "1" });
        }
        let made = self.call("model.stock.move.create", json!([[planned], self.context()])).await;
        made[0].clone()
    }

    /// It is set aside for.
    pub async fn assign(&self, planned: &Value) {
        let assigned = json!([[planned], { "state": "assigned" }, self.context()]);
        self.call("model.stock.move.write", assigned).await;
    }

    /// It happens.
    pub async fn carry_out(&self, planned: &Value) {
        let state = self
            .call("model.stock.move.read", json!([[planned], ["state", "from_location.type"], self.context()]))
            .await;
        if state[0]["state"] == "draft" && text(&state[0], "/from_location./type") == "storage" {
            self.assign(planned).await;
        }
        let carry_out = json!([[planned], self.context()]);
        let Err(error) = self.ask("model.stock.move.do", carry_out.clone()).await else { return };
        assert_eq!(error[0], "UserWarning", "{error}");
        // Without an order behind it? Yes.
        let yes = json!([[{ "user": self.user, "name": error[1][0] }], self.context()]);
        self.call("model.res.user.warning.create", yes).await;
        self.call("model.stock.move.do", carry_out).await;
    }

    /// Planned and carried out at once.
    pub async fn moved(&self, sku: &str, quantity: u32, route: [&str; 2]) {
        let planned = self.plan(sku, quantity, "u", route, 0).await;
        self.carry_out(&planned).await;
    }

    /// On hand, and what of it is free, of each article: as Tryton itself says.
    pub async fn figures(&self, warehouse: &str, skus: &[&str]) -> Vec<(String, String)> {
        let today: jiff::civil::Date = crate::truth::Truth::read().date().parse().unwrap();
        let day = json!({ "__class__": "date", "year": today.year(), "month": today.month(), "day": today.day() });
        let context = json!({
            "company": self.ids["company"], "locations": [self.ids["warehouses"][warehouse]],
            "stock_skip_warehouse": true, "stock_date_end": day,
        });
        let fields = json!(["code", "quantity", "forecast_quantity"]);
        let params = json!([[["code", "in", skus]], 0, null, null, fields, context]);
        let rows = self.call("model.product.product.search_read", params).await;
        let of = |sku: &&str| {
            let row = rows.as_array().unwrap().iter().find(|row| text(row, "/code") == *sku).unwrap();
            let plain = |field: &str| row[field].to_string().trim_end_matches(".0").to_owned();
            (plain("quantity"), plain("forecast_quantity"))
        };
        skus.iter().map(of).collect()
    }

    /// Delivers as long as it lives: the command of our module, as its README has it.
    pub fn pushing(&self) -> Pushing {
        let mut command = Command::new(&self.python);
        command.args(["-m", "trytond.modules.comptoir_gateway.push", "-d", "tryton", "-c"]);
        Pushing(command.arg(self.folder.path().join("trytond.conf")).spawn().unwrap())
    }

    /// The same command with these arguments, which let it end; it has to succeed.
    pub fn push(&self, arguments: &[&str]) {
        let ended = self.tryton.command(&json!({ "do": "push", "arguments": arguments }));
        assert_eq!(ended["status"], 0, "{arguments:?}: {}", text(&ended, "/said"));
    }

    /// Delivers what there is.
    pub fn push_once(&self) {
        self.push(&["--once"]);
    }

    /// One more line of configuration for the pusher: the section is the file's last.
    pub fn configure(&self, line: &str) {
        let file = self.folder.path().join("trytond.conf");
        let config = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("{config}{line}\n")).unwrap();
    }

    pub fn back_up(&self) {
        self.tryton.command(&json!({ "do": "keep" }));
    }

    /// As it was backed up.
    pub async fn restore(&mut self) {
        self.tryton.command(&json!({ "do": "restore" }));
        self.sign_on().await;
    }
}

/// `warehouse.py`, running.
struct Tryton {
    child: Child,
    /// One command at a time; closed to end it.
    pipes: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Tryton {
    fn start(python: &PathBuf, folder: &TempDir) -> Self {
        let mut child = Command::new(python)
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/erp_tryton/warehouse.py"), "tryton"])
            .env("TRYTOND_CONFIG", folder.path().join("trytond.conf"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, pipes: Mutex::new(Some(pipes)) }
    }

    fn command(&self, command: &Value) -> Value {
        let mut pipes = self.pipes.lock().unwrap();
        let (stdin, stdout) = pipes.as_mut().expect("it is closed last");
        writeln!(stdin, "{command}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("warehouse.py is gone, told {command}"))
    }
}

impl Drop for Tryton {
    fn drop(&mut self) {
        // Its test may be failing already: what goes wrong here must not hide why.
        self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.child.wait();
    }
}

/// A pusher that runs; killed with its test.
pub struct Pushing(Child);

impl Drop for Pushing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
