//! HTTP calls as jobs.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Method, Response, Url, redirect};
use tokio::sync::watch;

use super::keeper::{stopped, timer};
use super::output::{self, Writer};
use super::{Attempt, Ended, Outcome, Stop};
use crate::text;

/// Longest wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Longest time that a server may ask us to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How much of an answer is read: what is longer has no end.
const MAX_ANSWER: u64 = 64 << 20;
/// How much of an answer's beginning is looked at for its first line.
const MAX_FIRST_LINE: usize = 512;
/// The one placeholder of an address.
const JOB: &str = "{job}";

/// An HTTP call.
///
/// The arguments are sent as JSON (with GET and HEAD only if there are any), with the headers `Jobstile-Job`,
/// `Jobstile-Run-Id`, `Jobstile-Attempt` and `Jobstile-Fence`. An answer of 2xx is a success, all else a failure; a redirect is
/// not followed. No proxy is used, whatever the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `POST` and the like.
    pub method: String,
    /// Where to; `{job}` stands for the job's name.
    pub url: String,
    /// Further headers; those named above cannot be changed.
    pub headers: BTreeMap<String, String>,
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
        self.request("job").map(drop)
    }

    fn request(&self, job: &str) -> Result<Request, String> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("not an HTTP method: {}", text::clean(&self.method)))?;
        let url = Url::parse(&self.url.replace(JOB, job))
            .map_err(|error| format!("not an address: {} ({error})", text::clean(&self.url)))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("not an HTTP address: {}", text::clean(&self.url)));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("jobstile/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.headers {
            let header =
                HeaderName::try_from(name).map_err(|_| format!("not the name of a header: {}", text::clean(name)))?;
            // The value may be a secret and is not shown.
            let value = HeaderValue::try_from(value)
                .map_err(|_| format!("the value of header {header} has characters it cannot have"))?;
            headers.insert(header, value);
        }
        Ok(Request { method, url, headers })
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
        let client = client().map_err(|error| format!("no HTTP client: {}", cause(&*error)))?;
        Ok(self.client.get_or_init(|| client))
    }

    pub(super) async fn call(
        &self,
        dir: &Path,
        attempt: &Attempt,
        http: &Http,
        mut stop: watch::Receiver<Option<Stop>>,
    ) -> Ended {
        let prepared = http.request(&attempt.job).and_then(|request| {
            let writer = Writer::create(dir, attempt.run, attempt.fence)
                .map_err(|error| format!("cannot keep output in {}: {error}", dir.display()))?;
            Ok((self.client()?, request, writer))
        });
        let (client, request, mut writer) = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => return Ended::new(Outcome::NotStarted, reason),
        };
        let mut ended = tokio::select! {
            ended = exchange(client, request, attempt, &mut writer) => ended,
            () = timer(attempt.timeout) => {
                Ended::new(Outcome::Timeout, Ended::timed_out(attempt.timeout))
            }
            request = stopped(&mut stop, None) => Ended::new(request.outcome(), None),
        };
        writer.close();
        if let Ok(output) = output::read(dir, attempt.run, attempt.fence) {
            ended.output = output;
        }
        ended
    }
}

/// The provider is named here, so that no program that uses the library has to install one.
fn client() -> Result<Client, Box<dyn Error + Send + Sync>> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let tls = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    };
    let tls = match tls()?.with_platform_verifier() {
        Ok(tls) => tls.with_no_client_auth(),
        // A machine without certificates can still call its own loopback; whatever needs one is refused.
        Err(_) => tls()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
    };
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .build()?)
}

async fn exchange(client: &Client, request: Request, attempt: &Attempt, writer: &mut Writer) -> Ended {
    let bodiless = matches!(request.method, Method::GET | Method::HEAD);
    let mut builder = client
        .request(request.method, request.url)
        .headers(request.headers)
        .header("Jobstile-Job", &attempt.job)
        .header("Jobstile-Run-Id", attempt.run.0)
        .header("Jobstile-Attempt", attempt.attempt)
        .header("Jobstile-Fence", attempt.fence.0);
    if !bodiless || attempt.args.as_ref() != "null" {
        builder = builder.body(attempt.args.to_string());
    }
    let answer = match builder.send().await {
        Ok(answer) => answer,
        // An address may hold secrets, so it is not repeated.
        Err(error) => {
            let what = if error.is_connect() { "cannot connect" } else { "no answer" };
            return Ended::new(Outcome::Failure, format!("{what}: {}", cause(&error.without_url())));
        }
    };
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    let mut first = Vec::new();
    match keep(answer, writer, &mut first).await {
        Ok(true) => {}
        Ok(false) => return Ended::new(Outcome::Failure, "the answer is longer than 64 MiB".to_owned()),
        Err(error) => {
            let reason = format!("the answer broke off: {}", cause(&error.without_url()));
            return Ended::new(Outcome::Failure, reason);
        }
    }
    if status.is_success() {
        return Ended::new(Outcome::Success, None);
    }
    let mut message = format!("HTTP status {status}");
    let line = first.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    if let Some(line) = line.into_iter().find(|line| !line.is_empty()) {
        message = format!("{message}, \"{}\"", text::clean_bytes_to(line, 300));
    }
    Ended { retry_after, ..Ended::new(Outcome::Failure, message) }
}

// Whether it came to its end within what is read of an answer.
async fn keep(mut answer: Response, writer: &mut Writer, first: &mut Vec<u8>) -> Result<bool, reqwest::Error> {
    let mut length = 0u64;
    while let Some(bytes) = answer.chunk().await? {
        length += bytes.len() as u64;
        if length > MAX_ANSWER {
            return Ok(false);
        }
        let room = MAX_FIRST_LINE.saturating_sub(first.len());
        first.extend(&bytes[..bytes.len().min(room)]);
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

/// What is at the bottom of an error; what lies above only says that there was one.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut bottom = error;
    while let Some(below) = bottom.source() {
        bottom = below;
    }
    bottom.to_string()
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
        let http =
            |method: &str, url: &str| Http { method: method.to_owned(), url: url.to_owned(), headers: BTreeMap::new() };
        assert_eq!(http("POST", "http://127.0.0.1:8000/jobs/{job}").check(), Ok(()));
        let wrong = http("PO ST", "http://localhost").check();
        assert_eq!(wrong, Err("not an HTTP method: PO ST".to_owned()));
        let wrong = http("POST", "file:///etc/passwd").check();
        assert_eq!(wrong, Err("not an HTTP address: file:///etc/passwd".to_owned()));
        assert!(http("POST", "localhost:8000").check().is_err());
    }
}
