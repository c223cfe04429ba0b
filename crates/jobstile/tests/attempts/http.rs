//! HTTP calls against a server of a few lines.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jobstile::runner::command::Place;
use jobstile::runner::{Attempt, Definition, Ended, Header, Http, Outcome, Stop, output};
use tokio::sync::watch;

use crate::{Node, attempt};

/// What the server heard: first line, headers in small letters, body.
struct Heard {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Answers each connection with what `answer` writes.
fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> (SocketAddr, mpsc::Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let Some(one) = hear(&stream) else { continue };
            let _ = sender.send(one);
            answer(&mut stream);
        }
    });
    (address, heard)
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).expect("text") })
}

fn says(text: &'static str) -> impl Fn(&mut TcpStream) + Send + 'static {
    move |stream| stream.write_all(text.as_bytes()).expect("written")
}

fn call(method: &str, url: String) -> Definition {
    let headers = BTreeMap::from([("X-Token".to_owned(), Header::Text("secret".to_owned()))]);
    Definition::Http(Http { method: method.to_owned(), url, headers, on_cancel: None, place: Place::default() })
}

async fn run(attempt: Attempt, definition: &Definition) -> Ended {
    Node::new().run(attempt, definition).await
}

/// The token of a header stands in no configuration: it is a variable, given as those of a command are.
#[tokio::test]
async fn a_header_may_be_a_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("env"), "TOKEN=from a file # prod\n").expect("written");
    let header = Header::Variable { name: "TOKEN".to_owned(), prefix: "Bearer ".to_owned() };
    let of = |place: Place, address: &str| {
        let headers = BTreeMap::from([("Authorization".to_owned(), header.clone())]);
        Definition::Http(Http {
            method: "POST".to_owned(),
            url: format!("http://{address}/"),
            headers,
            on_cancel: None,
            place,
        })
    };
    let env_file = Place { cwd: folder.path().to_owned(), env_file: Some("env".into()), ..Place::default() };
    let env = Place { env: BTreeMap::from([("TOKEN".to_owned(), "from env".to_owned())]), ..env_file.clone() };
    for (place, value) in [(env_file, "Bearer from a file"), (env, "Bearer from env")] {
        let (address, heard) = server(says("HTTP/1.1 204 No Content\r\n\r\n"));
        let definition = of(place, &address.to_string());
        assert_eq!(run(attempt("null"), &definition).await.outcome, Outcome::Success);
        assert_eq!(heard.recv().expect("a call").headers["authorization"], value);
        assert!(!format!("{definition:?}").contains("from a file"), "a secret is never shown");
    }
    let absent = run(attempt("null"), &of(Place::default(), "127.0.0.1:1")).await;
    let why = "the variable TOKEN of header authorization is not set: give it by env, env_file or pass_env";
    assert_eq!((absent.outcome, absent.message.as_deref()), (Outcome::NotStarted, Some(why)));
}

#[tokio::test]
async fn a_call_has_the_arguments_and_the_headers() {
    let (address, heard) = server(says("HTTP/1.1 204 No Content\r\n\r\n"));
    let attempt = attempt(r#"{"wallet":"SP2X0"}"#);
    let ended = run(attempt.clone(), &call("POST", format!("http://{address}/jobs/{{job}}?a=b"))).await;
    assert_eq!((ended.outcome, ended.message), (Outcome::Success, None));
    let heard = heard.recv().expect("a call");
    assert_eq!(heard.line, "POST /jobs/sync?a=b HTTP/1.1");
    assert_eq!(heard.body, r#"{"wallet":"SP2X0"}"#);
    let expected = [
        ("accept", "*/*".to_owned()),
        ("content-length", "18".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("host", address.to_string()),
        ("jobstile-attempt", "2".to_owned()),
        ("jobstile-fence", attempt.fence.to_string()),
        ("jobstile-job", "sync".to_owned()),
        ("jobstile-run-id", attempt.run.to_string()),
        ("user-agent", format!("jobstile/{}", env!("CARGO_PKG_VERSION"))),
        ("x-token", "secret".to_owned()),
    ];
    assert_eq!(heard.headers, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn a_call_without_arguments_sends_null_where_there_is_a_body() {
    for (method, body) in [("POST", "null"), ("PUT", "null"), ("GET", "")] {
        let (address, heard) = server(says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        run(attempt("null"), &call(method, format!("http://{address}/"))).await;
        assert_eq!(heard.recv().expect("a call").body, body, "{method}");
    }
}

#[tokio::test]
async fn every_status_but_2xx_is_a_failure_with_its_text() {
    let cases = [
        ("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok", Outcome::Success, None, None),
        (
            "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n\n  api.hiro.so \u{1b}[31m\nmore",
            Outcome::Failure,
            Some("HTTP status 502 Bad Gateway, \"api.hiro.so \\x1b[31m\""),
            None,
        ),
        (
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n",
            Outcome::Failure,
            Some("HTTP status 429 Too Many Requests"),
            Some(120),
        ),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", Outcome::Failure, Some("HTTP status 304 Not Modified"), None),
    ];
    for (answer, outcome, message, retry_after) in cases {
        let (address, _heard) = server(says(answer));
        let ended = run(attempt("null"), &call("POST", format!("http://{address}/"))).await;
        assert_eq!((ended.outcome, ended.message.as_deref()), (outcome, message), "{answer}");
        assert_eq!(ended.retry_after, retry_after.map(Duration::from_secs));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, heard) = server(says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let (address, _) = server(move |stream| {
        let answer =
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).expect("written");
    });
    let ended = run(attempt("null"), &call("POST", format!("http://{address}/"))).await;
    assert_eq!(ended.outcome, Outcome::Failure);
    assert_eq!(ended.message.as_deref(), Some("HTTP status 307 Temporary Redirect"));
    assert!(heard.try_recv().is_err(), "nobody called there");
}

#[tokio::test]
async fn the_answer_is_kept_and_bounded() {
    let (address, _heard) = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbegin").expect("written");
        for _ in 0..100 {
            stream.write_all(&[b'x'; 100_000]).expect("written");
        }
        stream.write_all(b"end").expect("written");
    });
    let node = Node::new();
    let attempt = attempt("null");
    let (run, fence) = (attempt.run, attempt.fence);
    let ended = node.run(attempt, &call("POST", format!("http://{address}/"))).await;
    assert_eq!(ended.outcome, Outcome::Success, "{:?}", ended.message);
    assert!(ended.output.head.starts_with(b"beginxxx") && ended.output.tail.ends_with(b"xend"));
    assert_eq!(ended.output.dropped, 10_000_008 - output::HEAD - output::TAIL);
    let size = std::fs::metadata(output::path(node.dir.path(), run, fence)).expect("a file").len();
    assert!(size <= 64 + output::HEAD + output::RING);
}

/// Says nothing, and tells when the caller has hung up.
fn silent() -> (SocketAddr, mpsc::Receiver<()>) {
    let (sender, hung_up) = mpsc::channel();
    let (address, heard) = server(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").expect("written");
        let _ = stream.read(&mut [0]);
        let _ = sender.send(());
    });
    std::mem::forget(heard);
    (address, hung_up)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_times_out_and_loses_its_connection() {
    let (address, hung_up) = silent();
    let mut attempt = attempt("null");
    attempt.timeout = Some(Duration::from_millis(100));
    let start = Instant::now();
    let ended = run(attempt, &call("POST", format!("http://{address}/"))).await;
    assert_eq!((ended.outcome, ended.message.as_deref()), (Outcome::Timeout, Some("timed out after 100ms")));
    assert!(start.elapsed() < Duration::from_secs(5));
    hung_up.recv_timeout(Duration::from_secs(10)).expect("the connection is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_drops_the_connection() {
    let (address, hung_up) = silent();
    let (stop, stopped) = watch::channel(None);
    let definition = call("POST", format!("http://{address}/"));
    let node = Node::new();
    let running = node.runners.run(attempt("null"), &definition, stopped, |_| {});
    let (ended, ()) = tokio::join!(running, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.send(Some(Stop::Cancel)).expect("it listens");
    });
    assert_eq!((ended.outcome, ended.message), (Outcome::Cancelled, None));
    hung_up.recv_timeout(Duration::from_secs(10)).expect("the connection is closed");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_without_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let ended = run(attempt("null"), &call("POST", format!("http://user:secret@{address}/?token=secret"))).await;
    assert_eq!(ended.outcome, Outcome::Failure);
    assert_eq!(ended.message.as_deref(), Some("cannot connect: Connection refused (os error 111)"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure() {
    let (address, _heard) = server(says("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    let ended = run(attempt("null"), &call("POST", format!("http://{address}/"))).await;
    assert_eq!(ended.outcome, Outcome::Failure);
    assert!(ended.message.expect("a message").starts_with("the answer broke off: "));
    assert_eq!(ended.output.head, b"half");
}

#[tokio::test]
async fn tls_needs_no_provider_of_the_program() {
    // The server speaks no TLS: what counts is that the handshake is tried, and fails as a failure.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let first = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        byte[0]
    });
    let ended = run(attempt("null"), &call("POST", format!("https://{address}/"))).await;
    assert_eq!(ended.outcome, Outcome::Failure, "{:?}", ended.message);
    assert_eq!(first.join().expect("joined"), 22, "a TLS handshake");
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_not_started() {
    let definition = call("POST", "ftp://localhost/".to_owned());
    let ended = run(attempt("null"), &definition).await;
    assert_eq!(ended.outcome, Outcome::NotStarted);
    assert_eq!(ended.message.as_deref(), Some("not an HTTP address: ftp://localhost/"));
    assert!(Node::new().runners.can_run(&definition).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_not_read_without_end() {
    let (address, _heard) = server(|stream| {
        let piece = vec![b'x'; 1 << 20];
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
        // Until nobody reads it any more.
        let mut sent = stream.write_all(head);
        while sent.is_ok() {
            sent = stream.write_all(&piece);
        }
    });
    let ended = run(attempt("null"), &call("GET", format!("http://{address}/"))).await;
    assert_eq!((ended.outcome, ended.message.as_deref()), (Outcome::Failure, Some("the answer is longer than 64 MiB")));
}

/// A server that keeps connections, and closes one when a second call comes on it.
fn closes_at_the_second_call() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                if hear(&stream).is_some() {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("written");
                    // The first byte of another call: it closes.
                    let _ = stream.read(&mut [0]);
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_because_of_another_ones_connection() {
    let definition = call("POST", format!("http://{}/x", closes_at_the_second_call()));
    let node = Node::new();
    for _ in 0..10 {
        let ended = node.run(attempt("null"), &definition).await;
        assert_eq!((ended.outcome, ended.message), (Outcome::Success, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provisional_answers_without_end_are_a_failure() {
    let (address, _heard) = server(|stream| while stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").is_ok() {});
    let definition = call("POST", format!("http://{address}/"));
    let running = run(attempt("null"), &definition);
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await.expect("in time");
    let sentence = "the server sends provisional answers (1xx) without end";
    assert_eq!((ended.outcome, ended.message.as_deref()), (Outcome::Failure, Some(sentence)));
    // A few are as they should be.
    let (address, _heard) = server(says(
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ));
    assert_eq!(run(attempt("null"), &call("POST", format!("http://{address}/"))).await.outcome, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_to_know_is_told_of_an_end() {
    let (told_at, told) = server(says("HTTP/1.1 204 No Content\r\n\r\n"));
    let (address, _hung_up) = silent();
    let on_cancel = Some(format!("http://{told_at}/cancel/{{job}}"));
    let headers = BTreeMap::from([("X-Token".to_owned(), Header::Text("secret".to_owned()))]);
    let place = Place::default();
    let http = Http { method: "GET".to_owned(), url: format!("http://{address}/"), headers, on_cancel, place };
    let attempt = Attempt { timeout: Some(Duration::from_millis(50)), ..attempt("{\"a\":1}") };
    let (run_id, fence) = (attempt.run, attempt.fence);
    assert_eq!(run(attempt, &Definition::Http(http)).await.outcome, Outcome::Timeout);
    let heard = told.recv_timeout(Duration::from_secs(10)).expect("a call");
    assert_eq!((heard.line.as_str(), heard.body.as_str()), ("POST /cancel/sync HTTP/1.1", "{\"a\":1}"));
    let header = |name: &str| heard.headers.get(name).cloned().unwrap_or_default();
    assert_eq!(header("jobstile-run-id"), run_id.to_string());
    assert_eq!(header("jobstile-fence"), fence.to_string());
    assert_eq!((header("jobstile-outcome").as_str(), header("x-token").as_str()), ("timeout", "secret"));
    assert!(told.try_recv().is_err(), "one call");
}

#[tokio::test]
async fn an_answer_gives_a_result_in_a_header() {
    let (address, _heard) =
        server(says("HTTP/1.1 200 OK\r\njobstile-result: {\"rows\": 3}\r\ncontent-length: 0\r\n\r\n"));
    let ended = run(attempt("null"), &call("POST", format!("http://{address}/"))).await;
    assert_eq!(ended.result.as_deref(), Some("{\"rows\": 3}"));
}

#[tokio::test]
async fn an_error_page_gives_its_title() {
    let (address, _heard) = server(says(
        "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n<!DOCTYPE html>\n<html><head><title>api is down</title></head>",
    ));
    let ended = run(attempt("null"), &call("POST", format!("http://{address}/"))).await;
    assert_eq!(ended.message.as_deref(), Some("HTTP status 502 Bad Gateway, \"api is down\""));
}
