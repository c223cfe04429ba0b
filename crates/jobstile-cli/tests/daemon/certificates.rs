//! Calls of a server whose certificate an authority of your own has signed.

use std::process::{Child, Command, Stdio};

use jobstile_child::{LIMIT, Limited as _};

use crate::support::{Daemon, Folder, wait, wait_for};

/// Answers every call over TLS, and writes its port down.
const SERVER: &str = r#"
import http.server, ssl

class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(204)
        self.end_headers()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("server.pem", "server.key")
server.socket = tls.wrap_socket(server.socket, server_side=True)
open("port", "w").write(f"{server.server_port}\n")
server.serve_forever()
"#;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = jobstile_child::wait(&mut self.0, LIMIT);
    }
}

/// A server for `localhost` in this folder, whose certificate the authority in `authority.pem` has signed.
fn serve(folder: &Folder) -> (Server, String) {
    let openssl = |line: &str| {
        let mut command = Command::new("openssl");
        let done = command.args(line.split(' ')).current_dir(folder.path()).limited();
        let done = done.unwrap_or_else(|error| panic!("this test needs openssl: {error}"));
        assert!(done.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout authority.key -out authority.pem -days 2 -subj /CN=authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    folder.write("names", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
    openssl(
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    folder.write("server.py", SERVER);
    let mut command = Command::new("python3");
    command
        .arg("server.py")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = Server(command.spawn().unwrap_or_else(|error| panic!("this test needs python3: {error}")));
    let port = wait("the server", || folder.read("port").strip_suffix('\n').map(ToOwned::to_owned));
    (server, port)
}

#[test]
fn ssl_cert_file_names_the_authority_that_a_call_trusts() {
    let folder = Folder::new("");
    let (_server, port) = serve(&folder);
    folder.write("jobstile.toml", &format!("[jobs.call]\nhttp = {{ url = \"https://localhost:{port}/\" }}\n"));
    for (authority, state) in [(None, "dead"), (Some("authority.pem"), "succeeded")] {
        let mut command = folder.program();
        command.arg("serve").env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        command.envs(authority.map(|name| ("SSL_CERT_FILE", folder.path().join(name))));
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let daemon = Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let mut client = folder.client();
        wait("the job", || client.job("call").unwrap());
        let run = folder.trigger(&mut client, "call").run.unwrap();
        wait_for(&client, run, state);
        let message = client.attempts(run).unwrap()[0].message.clone().unwrap_or_default();
        let words = "is not signed by an authority that this machine knows; SSL_CERT_FILE can name a file with more";
        assert_eq!(message.contains(words), authority.is_none(), "{message}");
        daemon.signal("TERM");
        assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
    }
}
