//! Queues against moto, signatures against botocore. moto takes any signature.

use crate::parts::{self, Part};
use crate::receiver::{Receiver, blunt};
use crate::world::{NOW, check, check_denied, send, site, transmission};
use bytes::Bytes;
use dateline_transmit::{Body, Code, Transmission};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const ITEM: &str = "{\"headline\": \"Zürich\\u0000 <&>\"}";

fn row(endpoint: &str) -> Transmission {
    let config = json!({
        "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "canary/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "region": "eu-central-1",
        "endpoint_url": endpoint,
        "queue_name": "news.fifo",
        "message_group_id": "desk",
    });
    transmission("amazon_sqs_fifo", config, ITEM)
}

/// What a reader of the queue does.
async fn call(part: &Part, action: &str, body: Value) -> Value {
    let request = Request::post(format!("http://{}/", part.address))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("AmazonSQS.{action}"))
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=x/20260130/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=x",
        )
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
}

/// A service with a queue that does not look at contents, and the URL of the queue.
async fn queue() -> Option<(Part, String)> {
    let part = Part::python("sqs.py", "moto.server", &[])?;
    let made = json!({"QueueName": "news.fifo", "Attributes": {"FifoQueue": "true"}});
    let made = call(&part, "CreateQueue", made).await;
    Some((part, made["QueueUrl"].as_str().unwrap().to_owned()))
}

#[tokio::test]
async fn an_item_is_in_the_queue_once_however_often_it_is_tried() {
    let Some((part, queue_url)) = queue().await else { return };
    let site = site(&[part.address]);
    let mut row = row(&format!("http://{}", part.address));
    let receipt = send(&site, &row).await.unwrap();
    send(&site, &row).await.unwrap();
    row.published_seq_num += 1;
    send(&site, &row).await.unwrap();
    let receive = json!({
        "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"],
    });
    let received = call(&part, "ReceiveMessage", receive).await;
    let messages = received["Messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "{received}");
    assert_eq!(messages[0]["Body"], ITEM);
    assert_eq!(messages[0]["Attributes"]["MessageGroupId"], "desk");
    assert_eq!(messages[0]["Attributes"]["MessageDeduplicationId"], receipt.id);
    assert_eq!(messages[1]["Attributes"]["MessageDeduplicationId"], row.id());
    assert_eq!(receipt.answer.unwrap().text, messages[0]["MessageId"]);
    assert_eq!(receipt.bytes, ITEM.len() as u64);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told() {
    let Some((part, _)) = queue().await else { return };
    let mut row = row(&format!("http://{}", part.address));
    row.destination.config = {
        let mut config = config(&part);
        config["queue_name"] = "other.fifo".into();
        config.into()
    };
    let failure = check(send(&site(&[part.address]), &row).await, Code::SqsClient, true);
    assert!(failure.message.contains("400 QueueDoesNotExist"), "{}", failure.message);
    assert_eq!(failure.to_string(), "PublishAmazonSQSError Error 15001 - Amazon SQS client error");
}

fn config(part: &Part) -> Value {
    json!({
        "access_key_id": "AKIDEXAMPLE", "secret_access_key": "canary", "region": "eu-central-1",
        "endpoint_url": format!("http://{}", part.address), "queue_name": "news.fifo", "message_group_id": "desk",
    })
}

#[tokio::test]
async fn signatures_are_those_of_botocore() {
    let Some(python) = parts::python("botocore") else { return };
    let receiver = Receiver::start().await;
    receiver.answer(200, &[], "{\"QueueUrl\": \"https://queue.example/1/news.fifo\", \"MessageId\": \"m\"}");
    for path in ["", "/", "/a b/ü/%2F+*~"] {
        send(&site(&[receiver.address]), &row(&receiver.url(path))).await.unwrap();
    }
    assert_eq!(receiver.seen().len(), 6);
    for seen in receiver.seen() {
        let headers: Value =
            ["content-type", "x-amz-target"].iter().map(|name| (*name, seen.header(name))).collect();
        let case = json!({
            "now": NOW, "url": receiver.url(&seen.path), "headers": headers, "id": "AKIDEXAMPLE",
            "secret": "canary/K7MDENG+bPxRfiCYEXAMPLEKEY", "region": "eu-central-1",
            "body": std::str::from_utf8(&seen.body).unwrap(),
        });
        let mut oracle = Command::new(&python)
            .arg(parts::folder().join("sigv4.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        oracle.stdin.take().unwrap().write_all(case.to_string().as_bytes()).unwrap();
        let signed = String::from_utf8(oracle.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(seen.header("authorization"), signed.trim());
        assert_eq!(seen.header("x-amz-date"), "20260130T024056Z");
    }
}

#[tokio::test]
async fn refusals_last_only_if_the_text_is_at_fault() {
    let receiver = Receiver::start().await;
    let site = site(&[receiver.address]);
    for (status, kind, is_retryable) in [
        (400, "com.amazonaws.sqs#InvalidMessageContents", false),
        (400, "com.amazonaws.sqs#RequestThrottled", true),
        (403, "com.amazon.coral.service#AccessDeniedException", true),
        (400, "InvalidClientTokenId", true),
        (500, "", true),
        (503, "x", true),
    ] {
        receiver.answer(status, &[], &json!({"__type": kind}).to_string());
        let failure = check(send(&site, &row(&receiver.url("/"))).await, Code::SqsClient, is_retryable);
        assert_eq!(failure.answer.as_ref().unwrap().status, status);
        assert!(!format!("{failure:?}").contains("canary"));
    }
    receiver.answer(200, &[], "no JSON");
    check(send(&site, &row(&receiver.url("/"))).await, Code::SqsClient, true);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_connection_error() {
    let nobody = parts::free_address();
    check(send(&site(&[nobody]), &row(&format!("http://{nobody}"))).await, Code::SqsConnection, true);
    let silent = blunt(None).await;
    check(send(&site(&[silent]), &row(&format!("http://{silent}"))).await, Code::SqsConnection, true);
    check_denied(send(&site(&[]), &row(&format!("http://{nobody}"))).await, Code::SqsConnection, "loopback");
    check_denied(send(&site(&[]), &row("https://10.0.0.1")).await, Code::SqsConnection, "private");
    check_denied(send(&site(&[]), &row("https://a@example.com")).await, Code::SqsClient, "user or password");
}

#[tokio::test]
async fn settings_that_cannot_work_are_told() {
    let closed = site(&[]);
    check(send(&closed, &transmission("amazon_sqs_fifo", json!({}), ITEM)).await, Code::SqsClient, false);
    for (key, value) in [("region", "x.evil.example/"), ("endpoint_url", "no url"), ("queue_name", " ")] {
        let mut config = json!({
            "access_key_id": "a", "secret_access_key": "b", "region": "c", "queue_name": "d", "message_group_id": "e",
        });
        config[key] = value.into();
        check(send(&closed, &transmission("amazon_sqs_fifo", config, ITEM)).await, Code::SqsClient, false);
    }
    let mut row = row("https://example.com");
    row.body = Body::Binary(vec![0xff].into());
    check(send(&closed, &row).await, Code::SqsSend, false);
}
