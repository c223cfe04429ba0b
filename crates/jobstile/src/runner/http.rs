//! HTTP calls as jobs.

mod client;
mod words;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::fmt::rfc2822;
use tokio::sync::watch;
use url::Url;

use self::client::{Client, Failed};
use self::words::{MAX_BEGINNING, cause, first_text};
use super::command::Place;
use super::keeper::{stopped, timer};
use super::output::{self, Writer};
use super::{Attempt, Ended, Outcome, Stop, result};
use crate::text;

/// Longest time that a server may ask us to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How much of an answer is read: what is longer has no end.
const MAX_ANSWER: u64 = 64 << 20;
/// Longest time for the call that tells a server of an end.
const TELL_WITHIN: Duration = Duration::from_secs(10);
/// The one placeholder of an address.
const JOB: &str = "{job}";

/// An HTTP call.
///
/// The arguments are sent as JSON (with GET and HEAD only if there are any), with the headers `Jobstile-Job`,
/// `Jobstile-Run-Id`, `Jobstile-Attempt` and `Jobstile-Fence`. An answer of 2xx is a success, all else a failure; a redirect is
/// not followed. No proxy is used, whatever the environment says. Each call has a connection of its own.
///
/// An attempt's slot bounds calls, not the work behind them: a server may go on after its call was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `POST` and the like.
    pub method: String,
    /// Where to; `{job}` stands for the job's name.
    pub url: String,
    /// Further headers; those named above cannot be changed.
    pub headers: BTreeMap<String, Header>,
    /// Where to say that an attempt was cancelled, interrupted or timed out: one POST with the headers of the call and
    /// `Jobstile-Outcome`, so that the server can end its work. Nobody is told by default.
    pub on_cancel: Option<String>,
    /// Where the variables of headers come from: those that a command there would see.
    pub place: Place,
}

/// The value of a header. It may be a secret: it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Header {
    /// This text.
    Text(String),
    /// A variable, read at each call.
    Variable {
        /// Its name.
        name: String,
        /// What stands before its value: `Bearer `.
        prefix: String,
    },
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Variable { name, .. } => write!(f, "Variable({name})"),
        }
    }
}

struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
}

impl Http {
    /// Is this a call that can be made?
    ///
    /// # Errors
    /// If it cannot: why.
    pub fn check(&self) -> Result<(), String> {
        if let Some(on_cancel) = &self.on_cancel {
            address(on_cancel, "job")?;
        }
        self.request("job", |_, name, prefix| Ok(format!("{prefix}{name}"))).map(drop)
    }

    /// Can it be made with the variables that there are?
    pub(super) fn can_call(&self, environment: &BTreeMap<OsString, OsString>) -> Result<(), String> {
        self.with_variables("job", environment).map(drop)
    }

    fn with_variables(&self, job: &str, environment: &BTreeMap<OsString, OsString>) -> Result<Request, String> {
        let needs = self.headers.values().any(|header| matches!(header, Header::Variable { .. }));
        let variables = if needs { self.place.variables(environment)? } else { BTreeMap::new() };
        self.request(job, |header, name, prefix| match variables.get(OsStr::new(name)).map(|value| value.to_str()) {
            Some(Some(value)) => Ok(format!("{prefix}{value}")),
            Some(None) => Err(format!("the variable {name} of header {header} is not UTF-8")),
            None => {
                Err(format!("the variable {name} of header {header} is not set: give it by env, env_file or pass_env"))
            }
        })
    }

    fn request(
        &self,
        job: &str,
        variable: impl Fn(&HeaderName, &str, &str) -> Result<String, String>,
    ) -> Result<Request, String> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("not an HTTP method: {}", text::clean(&self.method)))?;
        let url = address(&self.url, job)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("jobstile/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.headers {
            let header =
                HeaderName::try_from(name).map_err(|_| format!("not the name of a header: {}", text::clean(name)))?;
            let value = match value {
                Header::Text(text) => text.clone(),
                Header::Variable { name, prefix } => variable(&header, name, prefix)?,
            };
            // The value may be a secret and is not shown.
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| format!("the value of header {header} has characters it cannot have"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Request { method, url, headers })
    }
}

/// An address of HTTP, with the job's name in its place.
fn address(written: &str, job: &str) -> Result<Url, String> {
    let url = Url::parse(&written.replace(JOB, job))
        .map_err(|error| format!("not an address: {} ({error})", text::clean(written)))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("not an HTTP address: {}", text::clean(written)));
    }
    Ok(url)
}

impl Request {
    /// With the headers that say which attempt it is of.
    fn of(mut self, attempt: &Attempt) -> client::Request {
        let numbers = [
            ("jobstile-run-id", attempt.run.0 as u64),
            ("jobstile-attempt", attempt.attempt.into()),
            ("jobstile-fence", attempt.fence.0 as u64),
        ];
        for (name, number) in numbers {
            self.headers.insert(HeaderName::from_static(name), number.into());
        }
        if let Ok(job) = HeaderValue::from_str(&attempt.job) {
            self.headers.insert(HeaderName::from_static("jobstile-job"), job);
        }
        let bodiless = matches!(self.method, Method::GET | Method::HEAD) && attempt.args.as_ref() == "null";
        let body = if bodiless { Bytes::new() } else { Bytes::copy_from_slice(attempt.args.as_bytes()) };
        client::Request { method: self.method, url: self.url, headers: self.headers, body }
    }
}

/// Makes calls; its client comes with the first one.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    client: Arc<OnceLock<Client>>,
}

impl Caller {
    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new().map_err(|error| format!("no HTTP client: {}", cause(&*error)))?;
        Ok(self.client.get_or_init(|| client))
    }

    pub(super) async fn call(
        &self,
        dir: &Path,
        attempt: &Attempt,
        http: &Http,
        environment: &BTreeMap<OsString, OsString>,
        mut stop: watch::Receiver<Option<Stop>>,
    ) -> Ended {
        let prepared = http.with_variables(&attempt.job, environment).and_then(|request| {
            let writer = Writer::create(dir, attempt.run, attempt.fence)
                .map_err(|error| format!("cannot keep output in {}: {error}", dir.display()))?;
            Ok((self.client()?, request, writer))
        });
        let (client, request, mut writer) = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => return Ended::new(Outcome::NotStarted, reason),
        };
        let mut ended = tokio::select! {
            ended = exchange(client, request.of(attempt), attempt, &mut writer) => ended,
            () = timer(attempt.timeout) => {
                Ended::new(Outcome::Timeout, Ended::timed_out(attempt.timeout))
            }
            request = stopped(&mut stop, None) => Ended::new(request.outcome(), None),
        };
        writer.close();
        if matches!(ended.outcome, Outcome::Timeout | Outcome::Cancelled | Outcome::Interrupted) {
            tell(client, http, attempt, environment, ended.outcome).await;
        }
        if let Ok(output) = output::read(dir, attempt.run, attempt.fence) {
            ended.output = output;
        }
        ended
    }
}

/// Tells the server that the attempt was ended, if it wants to know.
async fn tell(
    client: &Client,
    http: &Http,
    attempt: &Attempt,
    environment: &BTreeMap<OsString, OsString>,
    outcome: Outcome,
) {
    let Some(on_cancel) = &http.on_cancel else { return };
    let told = async {
        let mut request = http.with_variables(&attempt.job, environment)?;
        (request.method, request.url) = (Method::POST, address(on_cancel, &attempt.job)?);
        let word = HeaderValue::from_static(outcome.as_str());
        request.headers.insert(HeaderName::from_static("jobstile-outcome"), word);
        let answer = client.send(request.of(attempt)).await.map_err(|failed| failed.to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("HTTP status {status}")) }
    };
    let told = tokio::time::timeout(TELL_WITHIN, told).await;
    let told = told.unwrap_or_else(|_| Err(format!("no answer within {} s", TELL_WITHIN.as_secs())));
    if let Err(reason) = told {
        tracing::warn!(job_type = attempt.job.as_str(), run = attempt.run.0, reason, "Server not told of an end");
    }
}

impl std::fmt::Display for Failed {
    // An address may hold secrets, so it is not repeated.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Connect(error) => write!(f, "cannot connect: {}", cause(&**error)),
            Failed::NoAnswer(error) => write!(f, "no answer: {}", cause(&**error)),
            Failed::OnlyProvisional => f.write_str("the server sends provisional answers (1xx) without end"),
        }
    }
}

async fn exchange(client: &Client, request: client::Request, attempt: &Attempt, writer: &mut Writer) -> Ended {
    let answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(failed) => return Ended::new(Outcome::Failure, failed.to_string()),
    };
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    let given = answer.headers().get(result::HEADER).map(|value| value.as_bytes().to_vec());
    let mut beginning = Vec::new();
    match keep(answer, writer, &mut beginning).await {
        Ok(true) => {}
        Ok(false) => return Ended::new(Outcome::Failure, "the answer is longer than 64 MiB".to_owned()),
        Err(error) => return Ended::new(Outcome::Failure, format!("the answer broke off: {}", cause(&error))),
    }
    if status.is_success() {
        let mut ended = Ended::new(Outcome::Success, None);
        ended.take_result(attempt, given.as_deref());
        return ended;
    }
    let mut message = format!("HTTP status {status}");
    if let Some(text) = first_text(&beginning).filter(|_| attempt.log_output) {
        message = format!("{message}, \"{}\"", text::clean_bytes_to(&text, 300));
    }
    Ended { retry_after, ..Ended::new(Outcome::Failure, message) }
}

// Whether it came to its end within what is read of an answer.
async fn keep(
    mut answer: Response<Incoming>,
    writer: &mut Writer,
    beginning: &mut Vec<u8>,
) -> Result<bool, hyper::Error> {
    let mut length = 0u64;
    while let Some(frame) = answer.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        length += bytes.len() as u64;
        if length > MAX_ANSWER {
            return Ok(false);
        }
        let room = MAX_BEGINNING.saturating_sub(beginning.len());
        beginning.extend(&bytes[..bytes.len().min(room)]);
        writer.write(&bytes);
    }
    Ok(true)
}

/// RFC 9110, 10.2.3: seconds, or a date. The date is compared with the server's own, so that no clock of ours is asked; a
/// date without one beside it says nothing.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let value = header(RETRY_AFTER)?;
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = |text| Some(rfc2822::parse(text).ok()?.timestamp());
            let wait = date(value)?.duration_since(date(header(DATE)?)?);
            Duration::try_from(wait).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_after_the_servers_own() {
        let wait = |pairs: &[(&str, &str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| {
                    (HeaderName::try_from(*name).expect("a name"), HeaderValue::try_from(*value).expect("a value"))
                })
                .collect();
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let cases = [
            (&[("retry-after", "120")][..], Some(120)),
            (&[("retry-after", "0")], Some(0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "99999999")], Some(86_400)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), date], Some(60)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:40:00 GMT"), date], Some(0)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], None),
            (&[date], None),
        ];
        for (headers, expected) in cases {
            assert_eq!(wait(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_call_that_cannot_be_made_says_why() {
        let http = |method: &str, url: &str| Http {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: BTreeMap::new(),
            on_cancel: None,
            place: Place::default(),
        };
        assert_eq!(http("POST", "http://127.0.0.1:8000/jobs/{job}").check(), Ok(()));
        let wrong = http("PO ST", "http://localhost").check();
        assert_eq!(wrong, Err("not an HTTP method: PO ST".to_owned()));
        let wrong = http("POST", "file:///etc/passwd").check();
        assert_eq!(wrong, Err("not an HTTP address: file:///etc/passwd".to_owned()));
        assert!(http("POST", "localhost:8000").check().is_err());
    }
}
