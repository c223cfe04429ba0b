//! Sends one call on a connection of its own.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;
use tokio::sync::Notify;
use tower_service::Service;
use url::Url;

use crate::bugs::planted;

/// Longest wait for a connection, its handshake included.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Most provisional answers (1xx) before the final one.
const MAX_PROVISIONAL: u32 = 100;

/// One request as it is sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// No connection came about.
    Connect(Box<dyn Error + Send + Sync>),
    /// It broke before the answer.
    NoAnswer(Box<dyn Error + Send + Sync>),
    /// Nothing but provisional answers came.
    OnlyProvisional,
}

/// Makes calls. Cheap to clone; nothing is kept between two of them.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pool: Pool<Within<HttpsConnector<HttpConnector>>, Full<Bytes>>,
}

impl Client {
    /// The provider is named here, so that no program that uses the library has to install one.
    pub(super) fn new() -> Result<Client, Box<dyn Error + Send + Sync>> {
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
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        // A server may close a connection that it keeps at the very moment in which the next call begins: each call has
        // its own, so that none fails because of another.
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(usize::from(planted("connections_are_kept")))
            .build(Within(connector));
        Ok(Client { pool })
    }

    /// Sends the request and waits for the head of its answer.
    pub(super) async fn send(&self, request: Request) -> Result<Response<Incoming>, Failed> {
        let Request { method, mut url, mut headers, body } = request;
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some(credentials) = take_credentials(&mut url) {
            headers.entry(AUTHORIZATION).or_insert(credentials);
        }
        url.set_fragment(None);
        let uri: Uri = url.as_str().parse().map_err(|error| Failed::Connect(Box::new(error)))?;
        let mut request = http::Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
        let (provisional, too_many) = (AtomicU32::new(0), Arc::new(Notify::new()));
        let enough = Arc::clone(&too_many);
        hyper::ext::on_informational(&mut request, move |_| {
            if provisional.fetch_add(1, Ordering::Relaxed) >= MAX_PROVISIONAL {
                enough.notify_one();
            }
        });
        tokio::select! {
            answer = self.pool.request(request) => answer.map_err(failed),
            () = too_many.notified() => Err(Failed::OnlyProvisional),
        }
    }
}

fn failed(error: PoolError) -> Failed {
    if error.is_connect() { Failed::Connect(Box::new(error)) } else { Failed::NoAnswer(Box::new(error)) }
}

/// Name and password of an address (RFC 3986, 3.2.1) become the header that they mean.
fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    // An address with a host can have them taken away.
    let _ = (url.set_username(""), url.set_password(None));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Connects within [`CONNECT_WITHIN`].
#[derive(Debug, Clone)]
struct Within<C>(C);

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send>>;

impl<C> Service<Uri> for Within<C>
where
    C: Service<Uri, Error = Box<dyn Error + Send + Sync>>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = Connecting<C::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(format!("no connection within {} s", CONNECT_WITHIN.as_secs()).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_password_of_an_address_become_a_header() {
        let mut url = Url::parse("http://us%40er:pa%3Ass@host/path").expect("an address");
        assert_eq!(take_credentials(&mut url).expect("a header").as_bytes(), b"Basic dXNAZXI6cGE6c3M=");
        assert_eq!(url.as_str(), "http://host/path");
        assert_eq!(take_credentials(&mut url), None);
    }
}
