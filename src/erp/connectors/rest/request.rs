//! One request of a preset: compiled once, rendered per call.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use minijinja::Value;

use super::config::{RequestConfig, RestConfigError};
use super::selector::Selector;
use super::template::{Place, Template, Templates};
use crate::erp::ErpError;

/// A compiled request.
#[derive(Debug)]
pub struct Request {
    /// Its key in the preset, for logs: `prices.request`.
    pub key: String,
    method: Method,
    path: Template,
    query: Vec<(String, Template)>,
    headers: Vec<(HeaderName, Template)>,
    body: Option<(Template, HeaderValue, Place)>,
    pub pages: Option<Pages>,
    /// The lookups its templates read.
    pub lookups: BTreeSet<String>,
    /// The values its templates read.
    reads: BTreeSet<String>,
}

/// How further pages are found.
#[derive(Debug)]
pub struct Pages {
    pub next: Option<Selector>,
    pub size: Option<usize>,
    pub max: usize,
}

/// A rendered request, complete but for the address and the session.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Option<String>,
}

impl Request {
    pub fn compile(key: &str, config: &RequestConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let method = match &config.method {
            Some(name) => Method::from_bytes(name.as_bytes())
                .ok()
                .filter(|_| name.bytes().all(|b| b.is_ascii_uppercase()))
                .ok_or_else(|| {
                    RestConfigError::new(format!("{key}.method"), format!("{name:?} is not an HTTP method"))
                })?,
            None if config.body.is_some() => Method::POST,
            None => Method::GET,
        };
        if !config.path.starts_with('/') {
            return Err(RestConfigError::new(format!("{key}.path"), "begins with a slash"));
        }
        let content_type = config.content_type.as_deref().unwrap_or("application/json");
        let place = if content_type.contains("json") { Place::Json } else { Place::Text };
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| RestConfigError::new(format!("{key}.content_type"), "cannot be a header"))?;
        let path = templates.add(&format!("{key}.path"), Place::Path, &config.path)?;
        let query = config
            .query
            .iter()
            .map(|(name, source)| {
                Ok((name.clone(), templates.add(&format!("{key}.query.{name}"), Place::Text, source)?))
            })
            .collect::<Result<Vec<_>, RestConfigError>>()?;
        let headers = compile_headers(&format!("{key}.headers"), &config.headers, templates)?;
        let body = config
            .body
            .as_ref()
            .map(|source| {
                Ok::<_, RestConfigError>((templates.add(&format!("{key}.body"), place, source)?, content_type, place))
            })
            .transpose()?;
        let pages = config
            .pages
            .as_ref()
            .map(|pages| {
                let pages_key = format!("{key}.pages");
                if pages.next.is_none() && pages.size.is_none() {
                    return Err(RestConfigError::new(pages_key, "says neither `next` nor `size`"));
                }
                if pages.max == 0 || pages.size == Some(0) {
                    return Err(RestConfigError::new(pages_key, "`max` and `size` are at least one"));
                }
                let next = pages.next.as_deref().map(|text| Selector::compile(&format!("{pages_key}.next"), text));
                Ok(Pages { next: next.transpose()?, size: pages.size, max: pages.max })
            })
            .transpose()?;
        let templates = || {
            std::iter::once(&path)
                .chain(query.iter().map(|(_, template)| template))
                .chain(headers.iter().map(|(_, template)| template))
                .chain(body.iter().map(|(template, ..)| template))
        };
        let lookups = templates().flat_map(|template| template.lookups.iter().cloned()).collect();
        let reads = templates().flat_map(|template| template.reads.iter().cloned()).collect();
        Ok(Self { key: key.to_owned(), method, path, query, headers, body, pages, lookups, reads })
    }

    /// Fails if a template could read whom the question is for.
    pub fn names_nobody(&self) -> Result<(), RestConfigError> {
        const SOMEBODY: [&str; 5] = ["customer", "customers", "ship_to", "contract", "facts"];
        match SOMEBODY.into_iter().find(|name| self.reads.contains(*name)) {
            Some(name) => Err(RestConfigError::new(
                &self.key,
                format!("reads `{name}`, but asks for everybody on a list; `price_list` is what it may read"),
            )),
            None => Ok(()),
        }
    }

    pub fn render(&self, templates: &Templates, context: &Value) -> Result<Prepared, ErpError> {
        let mut path = templates.render(&self.path, context)?;
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, template) in &self.query {
                query.append_pair(name, &templates.render(template, context)?);
            }
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&query.finish());
        }
        let mut headers = HeaderMap::new();
        render_headers(&self.headers, templates, context, &mut headers)?;
        let body = match &self.body {
            Some((template, content_type, place)) => {
                let body = templates.render(template, context)?;
                // A body that is not JSON would only be refused further away.
                if *place == Place::Json
                    && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body)
                {
                    return Err(ErpError::Unprepared(format!("{}.body does not become JSON: {error}", self.key)));
                }
                headers.entry(http::header::CONTENT_TYPE).or_insert_with(|| content_type.clone());
                Some(body)
            }
            None => None,
        };
        Ok(Prepared { method: self.method.clone(), path, headers, body })
    }
}

/// Compiles header templates.
pub fn compile_headers<'a>(
    key: &str,
    configs: impl IntoIterator<Item = (&'a String, &'a String)>,
    templates: &mut Templates,
) -> Result<Vec<(HeaderName, Template)>, RestConfigError> {
    configs
        .into_iter()
        .map(|(name, source)| {
            let key = format!("{key}.{name}");
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| RestConfigError::new(&key, "is not the name of a header"))?;
            Ok((header, templates.add(&key, Place::Text, source)?))
        })
        .collect()
}

/// Renders header templates into `into`.
pub fn render_headers(
    headers: &[(HeaderName, Template)],
    templates: &Templates,
    context: &Value,
    into: &mut HeaderMap,
) -> Result<(), ErpError> {
    for (name, template) in headers {
        let mut value = HeaderValue::from_str(&templates.render(template, context)?)
            .map_err(|_| ErpError::Unprepared(format!("the header {name} holds what a header cannot")))?;
        value.set_sensitive(true);
        into.insert(name, value);
    }
    Ok(())
}
