//! What a server or its connection says, as people are told it.

use std::error::Error;
use std::io;

use rustls::{CertificateError, Error as Tls, InvalidMessage};

/// How much of an answer's beginning is looked at for its first text.
pub(super) const MAX_BEGINNING: usize = 8 << 10;

/// Why a connection failed: what is at the bottom of an error, in a sentence where it has none of its own.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut bottom = error;
    loop {
        if let Some(tls) = tls(bottom) {
            return of_tls(tls);
        }
        if let Some(error) = bottom.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::UnexpectedEof
            && error.to_string().contains("close_notify")
        {
            return "the server closed the connection without an end of its TLS stream".to_owned();
        }
        match below(bottom) {
            Some(below) => bottom = below,
            None => return bottom.to_string(),
        }
    }
}

// An io::Error hides what it was made from, and names as its source what is below that.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source())
}

fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Tls> {
    error.downcast_ref::<Tls>()
}

fn of_tls(error: &Tls) -> String {
    let fault = match error {
        Tls::InvalidCertificate(fault) => fault,
        Tls::AlertReceived(alert) => return format!("the server refused the TLS handshake ({alert:?})"),
        Tls::PeerIncompatible(_) => return "the server has no version or cipher of TLS that is safe today".to_owned(),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return "what answers there does not speak TLS".to_owned();
        }
        other => return format!("TLS failed: {other}"),
    };
    let what = match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet (is this machine's clock right?)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "is for another name",
        CertificateError::Revoked => "was revoked",
        CertificateError::UnknownIssuer => {
            "is not signed by an authority that this machine knows; SSL_CERT_FILE can name a file with more"
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "is that of an authority, as `openssl req -x509` makes them: sign one for the server with it, \
             and name the authority's with SSL_CERT_FILE"
        }
        other => return format!("the server's certificate is not accepted: {other}"),
    };
    format!("the server's certificate {what}")
}

/// What an answer says first: its first line with text, or of a page its title or first text.
pub(super) fn first_text(beginning: &[u8]) -> Option<Vec<u8>> {
    let text = beginning.trim_ascii_start();
    if text.starts_with(b"<") {
        return page(&String::from_utf8_lossy(text)).map(String::into_bytes);
    }
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).map(<[u8]>::to_vec)
}

fn page(page: &str) -> Option<String> {
    // Of ASCII letters alone, so that every place is the same in both.
    let small = page.to_ascii_lowercase();
    let title = small.find("<title").and_then(|at| {
        let from = at + small[at..].find('>')? + 1;
        Some(&page[from..from + small[from..].find("</title")?])
    });
    let text = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = ["&nbsp;", "&lt;", "&gt;", "&quot;", "&#39;", "&amp;"]
            .into_iter()
            .zip([" ", "<", ">", "\"", "'", "&"])
            .fold(words.join(" "), |text, (entity, character)| text.replace(entity, character));
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    };
    title.and_then(text).or_else(|| {
        let body = small.find("<body").map_or(page, |at| &page[at..]);
        body.split('<')
            .filter_map(|piece| {
                let (tag, rest) = piece.split_once('>')?;
                // What is in these is no text.
                let hidden = ["script", "style", "title"].iter().any(|name| tag.to_ascii_lowercase().starts_with(name));
                if hidden { None } else { text(rest) }
            })
            .next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_title_or_its_first_text() {
        let table = [
            ("plain\nsecond", Some("plain")),
            ("\n  \n  second ", Some("second")),
            ("{\"error\": 1}", Some("{\"error\": 1}")),
            ("<!DOCTYPE html>\n<html><head><TITLE>\n 502 Bad\n Gateway</TITLE>", Some("502 Bad Gateway")),
            (
                "<html><head><title></title><style>a{}</style></head><body><h1>Out of &amp; order</h1>",
                Some("Out of & order"),
            ),
            ("<html><body><script>x()</script><p>Gone", Some("Gone")),
            ("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>", Some("NoSuchKey")),
            ("<html>", None),
            ("", None),
        ];
        for (given, expected) in table {
            assert_eq!(first_text(given.as_bytes()).as_deref(), expected.map(str::as_bytes), "{given}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_a_sentence() {
        #[derive(Debug, thiserror::Error)]
        #[error("CaUsedAsEndEntity")]
        struct CaUsedAsEndEntity;
        let other = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(CaUsedAsEndEntity)));
        let table = [
            (Tls::InvalidCertificate(CertificateError::Expired), "the server's certificate has expired"),
            (
                Tls::InvalidCertificate(CertificateError::NotValidForName),
                "the server's certificate is for another name",
            ),
            (Tls::InvalidCertificate(other), "the server's certificate is that of an authority, as `openssl req"),
            (Tls::InvalidMessage(InvalidMessage::InvalidContentType), "what answers there does not speak TLS"),
        ];
        for (error, sentence) in table {
            // As it comes out of a connection: wrapped.
            let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
            let said = cause(&wrapped);
            assert!(said.starts_with(sentence), "{said}");
        }
        let eof = io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "peer closed connection without sending TLS close_notify: https://docs.rs",
        );
        assert_eq!(cause(&eof), "the server closed the connection without an end of its TLS stream");
    }
}
