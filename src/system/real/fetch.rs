//! HTTP: one agent, made when the first URL is fetched, so that a run without downloads pays nothing for TLS.
use crate::error::{Error, Result};
use crate::system::{Fetch, Fetched, without_login};
use std::io::Read as _;
use std::sync::OnceLock;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Followed at most.
const REDIRECTS: u32 = 10;

/// The agent, once there is one.
#[derive(Default)]
pub(super) struct Http {
    agent: OnceLock<Agent>,
}

impl Http {
    /// Fetches a URL; redirects are followed, any status is an answer.
    pub(super) fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        let failed = |error: ureq::Error| explained(&error, request);
        let agent = self.agent.get_or_init(new_agent);
        let config = agent.get(request.url).config().timeout_global(Some(request.timeout));
        let redirects = if request.follow { REDIRECTS } else { 0 };
        let call = config.max_redirects(redirects).max_redirects_will_error(request.follow).build().call();
        let response = call.map_err(failed)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let reader = response.into_body().into_reader();
        reader.take(request.limit.saturating_add(1)).read_to_end(&mut body).map_err(|error| failed(error.into()))?;
        if body.len() as u64 > request.limit && !request.whole {
            body.pop();
        }
        if body.len() as u64 > request.limit {
            return Err(Error::new(format!("fetching `{}`", without_login(request.url)))
                .reason(format!("the answer is longer than {} bytes", request.limit)));
        }
        Ok(Fetched { status, body })
    }
}

/// Says what went wrong on the way, and what can be done.
fn explained(error: &ureq::Error, request: &Fetch<'_>) -> Error {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let attempt = Error::new(format!("fetching `{}`", without_login(request.url)));
    match error {
        ureq::Error::Timeout(_) => attempt
            .reason(format!("it had not all come after {:?}", request.timeout))
            .remedy("see whether that server is well; if it only needs longer, raise `timeout`; then run again"),
        ureq::Error::Io(io) if matches!(io.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) => attempt
            .reason("the server hung up before all had come")
            .remedy("run again; if it stays so, see whether that server is well"),
        ureq::Error::Io(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            attempt.because(error).remedy("see whether that server can be reached from here, then run again")
        }
        other => attempt.because(other),
    }
}

fn new_agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(trusted()).build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .user_agent(concat!("provision/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Returns the machine's certificate authorities (`SSL_CERT_FILE` is honoured); Mozilla's where it has none.
fn trusted() -> RootCerts {
    let machine = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> = machine.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if certificates.is_empty() {
        log::info!("the machine has no certificate authorities: using Mozilla's, built in");
        return RootCerts::WebPki;
    }
    RootCerts::from(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::time::Duration;

    /// Answers each connection with the next of these.
    fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 4096];
                let _read = stream.read(&mut asked).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}")
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
    }

    fn get(url: &str, limit: u64) -> Result<Fetched> {
        Http::default().fetch(&Fetch { url, timeout: Duration::from_secs(5), limit, whole: true, follow: true })
    }

    #[test]
    fn redirects_are_followed_and_any_status_is_an_answer() {
        let url = server(vec![answer("302 Found", "Location: /there\r\n", ""), answer("404 Not Found", "", "gone")]);
        let fetched = get(&url, 100).unwrap();
        assert_eq!((fetched.status, fetched.body.as_slice()), (404, b"gone".as_slice()));
    }

    #[test]
    fn an_answer_over_the_limit_is_an_error_that_says_so() {
        let url = server(vec![answer("200 OK", "", "12345"), answer("200 OK", "", "12345")]);
        assert_eq!(get(&url, 5).unwrap().body, b"12345");
        let error = get(&url, 4).unwrap_err();
        assert_eq!(error.causes, ["the answer is longer than 4 bytes"]);
    }

    #[test]
    fn who_judges_an_answer_sees_the_redirect_itself_and_the_beginning_of_a_long_body() {
        let url = server(vec![answer("301 Moved", "Location: /there\r\n", "12345")]);
        let request = Fetch { url: &url, timeout: Duration::from_secs(5), limit: 4, whole: false, follow: false };
        let fetched = Http::default().fetch(&request).unwrap();
        assert_eq!((fetched.status, fetched.body.as_slice()), (301, b"1234".as_slice()));
    }

    #[test]
    fn nobody_there_is_an_error_that_names_the_url_without_its_password() {
        let error = get("http://user:secret@127.0.0.1:1/x", 10).unwrap_err();
        assert_eq!(error.attempt, "fetching `http://127.0.0.1:1/x`");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let request = Fetch { url: &url, timeout: Duration::from_millis(200), limit: 10, whole: true, follow: true };
        let error = Http::default().fetch(&request).unwrap_err();
        assert_eq!(error.causes, ["it had not all come after 200ms"]);
        assert!(error.remedy.unwrap().contains("raise `timeout`"));
    }

    #[test]
    fn an_answer_that_is_cut_off_is_no_answer() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n";
        for cut in [&answer("200 OK", "", "12345")[..60], chunked, "HTTP/1.1 200"] {
            let error = get(&server(vec![cut.to_owned()]), 10).unwrap_err();
            assert_eq!(error.causes, ["the server hung up before all had come"], "{cut}");
            assert!(error.remedy.unwrap().starts_with("run again"));
        }
    }
}
