//! Traces arrive at a collector: a real one as far as the wire is concerned, which keeps what it is sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;

use crate::process::Process;
use crate::secrecy::{drive_everything, everything_on};

/// What was sent, head and body.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Listens on loopback until the test ends.
fn collector() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let received = Received::default();
    let keep = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(request) = read(&mut stream) {
                keep.lock().unwrap().push(request);
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    (url, received)
}

fn read(stream: &mut BufReader<std::net::TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        head.push_str(&line);
        head.push('\n');
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a Attribute> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    attribute.value.as_ref()?.value.as_ref()
}

fn text(span: &Span, name: &str) -> String {
    match attribute(span, name) {
        Some(Attribute::StringValue(text)) => text.clone(),
        other => panic!("{name} of {}: {other:?}", span.name),
    }
}

#[test]
fn requests_and_calls_of_stores_arrive_as_spans_without_secrets() {
    let (url, received) = collector();
    let mut environment = everything_on();
    environment.push(("KEYHAVEN_TELEMETRY__TRACES_URL", url));
    environment.push(("KEYHAVEN_TRUSTED_PROXIES", "127.0.0.1".to_owned()));
    let mut process = Process::start(&environment);
    let secrets = drive_everything(&process);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    process
        .client()
        .send("GET", "/version", &[("traceparent", parent)], None);
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-00";
    process
        .client()
        .send("GET", "/version", &[("traceparent", unsampled)], None);
    process.ask_to_stop();
    assert!(process.wait().success());

    let received = received.lock().unwrap();
    let mut spans = Vec::new();
    for (head, body) in received.iter() {
        assert!(head.contains("post /v1/traces"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        secrets.are_not_in(&String::from_utf8_lossy(body));
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        for resource in request.resource_spans {
            let about = resource.resource.unwrap().attributes;
            assert!(about.iter().any(|attribute| attribute.key == "service.name"));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    let finish: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "POST /login/finish")
        .collect();
    assert_eq!(finish.len(), 7);
    for span in &finish {
        assert_eq!(span.kind, i32::from(SpanKind::Server));
        assert_eq!(text(span, "http.request.method"), "POST");
        assert_eq!(text(span, "http.route"), "/login/finish");
        let Some(Attribute::IntValue(status)) = attribute(span, "http.response.status_code") else {
            panic!("{span:?}")
        };
        match status {
            200 => assert_eq!(attribute(span, "error.type"), None),
            401 => assert!(
                ["authentication_failed", "client_key_mismatch"].contains(&text(span, "error.type").as_str())
            ),
            400 => assert_eq!(text(span, "error.type"), "challenge_missing"),
            _ => panic!("{status}"),
        }
        assert!(span.parent_span_id.is_empty());
    }
    let commit = spans
        .iter()
        .find(|span| span.name == "account.commit_assertion")
        .unwrap();
    assert_eq!(commit.kind, i32::from(SpanKind::Client));
    assert_eq!(text(commit, "db.system.name"), "sqlite");
    assert_eq!(text(commit, "db.operation.name"), "account.commit_assertion");
    assert!(
        spans
            .iter()
            .any(|span| span.span_id == commit.parent_span_id && span.trace_id == commit.trace_id),
        "a call of a store belongs to its request"
    );
    // Whom a trusted proxy names as the parent is, and what it does not want recorded is not.
    let versions: Vec<_> = spans.iter().filter(|span| span.name == "GET /version").collect();
    assert_eq!(versions.len(), 1);
    let id: String = versions[0]
        .trace_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        versions[0].parent_span_id,
        0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()
    );
    // Log lines tell the same traces.
    assert!(
        !process.log().contains("traces were not sent"),
        "{}",
        process.log()
    );
}

#[test]
fn a_stranger_chooses_no_trace_and_a_collector_that_is_away_costs_nothing() {
    let process = Process::start(&[
        (
            "KEYHAVEN_TELEMETRY__TRACES_URL",
            "http://127.0.0.1:1/v1/traces".to_owned(),
        ),
        ("KEYHAVEN_LOG__FILTER", "keyhaven_api=debug".to_owned()),
    ]);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (status, _) = process
        .client()
        .send("GET", "/version", &[("traceparent", parent)], None);
    assert_eq!(status, 200);
    let log = process.log();
    assert!(log.contains("trace_id="), "{log}");
    assert!(!log.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{log}");
}
