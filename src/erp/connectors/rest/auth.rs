//! Proving who we are, and one session shared by all calls.
//!
//! A session is opened by the first call that needs it while the others wait for it; whoever finds it expired says
//! which one, so that a late complaint about an old session does not close the new one. A login that was refused is not
//! tried again for a while: ERPs lock accounts after a few wrong passwords.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use minijinja::Value;
use tokio::sync::Mutex;

use super::config::{AuthConfig, RestConfigError};
use super::document::Document;
use super::field::scalar;
use super::request::{Request, compile_headers, render_headers};
use super::selector::{Row, Selector};
use super::template::{FromIterMap, Place, Template, Templates};
use crate::clock::{Clock, Mono};
use crate::erp::ErpError;

/// A compiled `[auth]`.
#[derive(Debug)]
pub enum Auth {
    None,
    Basic { user: Template, password: Template },
    Header { name: HeaderName, value: Template, prefix: &'static str },
    Session(Box<Session>),
}

/// How sessions are opened, and the open one.
#[derive(Debug)]
pub struct Session {
    pub login: Request,
    capture: Vec<(String, Selector)>,
    headers: Vec<(HeaderName, Template)>,
    max_age: Option<Duration>,
    refused_wait: Duration,
    /// Asynchronous because it is held while logging in: that is what makes the others wait. A login whose caller gives
    /// up releases it, and the next one logs in.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    opened: Option<Arc<Opened>>,
    logins: u64,
    refused: Option<(Mono, ErpError)>,
}

/// An open session.
#[derive(Debug)]
pub struct Opened {
    number: u64,
    since: Mono,
    /// What the login's answer gave, for templates.
    pub values: Value,
}

impl Auth {
    pub fn compile(config: &AuthConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let mut text = |key: &str, source: &str| templates.add(key, Place::Text, source);
        Ok(match config {
            AuthConfig::None => Auth::None,
            AuthConfig::Basic { user, password } => {
                Auth::Basic { user: text("auth.user", user)?, password: text("auth.password", password)? }
            }
            AuthConfig::Bearer { token } => {
                Auth::Header { name: AUTHORIZATION, value: text("auth.token", token)?, prefix: "Bearer " }
            }
            AuthConfig::Header { name, value } => Auth::Header {
                name: HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| RestConfigError::new("auth.name", "is not the name of a header"))?,
                value: text("auth.value", value)?,
                prefix: "",
            },
            AuthConfig::Session(session) => {
                let capture = session
                    .capture
                    .iter()
                    .map(|(name, at)| Ok((name.clone(), Selector::compile(&format!("auth.capture.{name}"), at)?)))
                    .collect::<Result<_, RestConfigError>>()?;
                Auth::Session(Box::new(Session {
                    login: Request::compile("auth.login", &session.login, templates)?,
                    capture,
                    headers: compile_headers("auth.headers", &session.headers, templates)?,
                    max_age: session.max_age,
                    refused_wait: session.refused_wait,
                    state: Mutex::default(),
                }))
            }
        })
    }

    pub fn session(&self) -> Option<&Session> {
        match self {
            Auth::Session(session) => Some(session),
            _ => None,
        }
    }

    /// The headers that prove it. `context` holds the session, where there is one.
    pub fn apply(&self, templates: &Templates, context: &Value, headers: &mut HeaderMap) -> Result<(), ErpError> {
        let (name, text) = match self {
            Auth::None => return Ok(()),
            Auth::Session(session) => return render_headers(&session.headers, templates, context, headers),
            Auth::Basic { user, password } => {
                let (user, password) = (templates.render(user, context)?, templates.render(password, context)?);
                (&AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Auth::Header { name, value, prefix } => (name, format!("{prefix}{}", templates.render(value, context)?)),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| ErpError::Unprepared(format!("auth: the header {name} holds what a header cannot")))?;
        value.set_sensitive(true);
        headers.insert(name.clone(), value);
        Ok(())
    }
}

impl Session {
    /// The open session, or a new one. `log_in` makes the login's request and hands back its answer.
    pub async fn get<F>(&self, clock: &Clock, log_in: F) -> Result<Arc<Opened>, ErpError>
    where
        F: Future<Output = Result<Document, ErpError>>,
    {
        let mut state = self.state.lock().await;
        let now = clock.mono();
        if let Some(opened) = &state.opened
            && self.max_age.is_none_or(|max_age| now.since(opened.since) < max_age)
        {
            return Ok(opened.clone());
        }
        if let Some((at, error)) = &state.refused
            && now.since(*at) < self.refused_wait
        {
            return Err(error.clone());
        }
        match log_in.await.and_then(|answer| self.read(&answer)) {
            Ok(values) => {
                state.logins += 1;
                let opened = Arc::new(Opened { number: state.logins, since: clock.mono(), values });
                state.refused = None;
                state.opened = Some(opened.clone());
                tracing::info!(logins = state.logins, "ERP session opened");
                Ok(opened)
            }
            Err(error) => {
                state.opened = None;
                // Trouble on the way says nothing about the password.
                if !error.is_retryable() {
                    state.refused = Some((clock.mono(), error.clone()));
                }
                Err(error)
            }
        }
    }

    /// The ERP no longer accepts this session.
    pub async fn expired(&self, which: &Opened) {
        let mut state = self.state.lock().await;
        if state.opened.as_ref().is_some_and(|opened| opened.number == which.number) {
            state.opened = None;
        }
    }

    fn read(&self, answer: &Document) -> Result<Value, ErpError> {
        let entries = self
            .capture
            .iter()
            .map(|(name, selector)| {
                let found = selector.one(Row::new(answer.root())).ok().flatten().and_then(scalar);
                let text = found.ok_or_else(|| ErpError::Refused(format!("the login's answer holds no {name}")))?;
                Ok((name.clone(), Value::from(text)))
            })
            .collect::<Result<Vec<_>, ErpError>>()?;
        Ok(Value::from_iter_map(entries))
    }
}
