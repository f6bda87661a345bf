//! The socket as clients in other languages use it: Python's `websockets`, and the WebSocket of Node, which like a
//! browser's sets no header and comes with a ticket. Both subscribe after a place in the log and acknowledge what they get.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::parts;
use crate::program::{Server, outcome};

const PYTHON: &str = r#"
import asyncio, json, os, websockets

async def main():
    url, token = os.environ["URL"], os.environ["TOKEN"]
    # The argument was renamed in 14.0.
    name = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
    headers = {name: {"Authorization": "Bearer " + token}}
    address = url.replace("http", "ws", 1) + "/api/ws"
    async with websockets.connect(address, subprotocols=["dateline.v1.json"], **headers) as socket:
        assert socket.subprotocol == "dateline.v1.json"
        await socket.send(json.dumps({"op": "sub", "id": 1, "topics": ["changes:ads"], "last_event_id": os.environ["AFTER"], "credit": 2}))
        ids = []
        while len(ids) < 5:
            message = json.loads(await socket.recv())
            if message["op"] == "error":
                raise SystemExit(str(message))
            if message["op"] == "event" and message["type"] == "change":
                ids.append(message["data"]["_id"])
                await socket.send(json.dumps({"op": "ack", "id": 1, "seq": message["data"]["seq"]}))
        print(json.dumps(ids))

asyncio.run(main())
"#;

const NODE: &str = r#"
const {URL: url, TOKEN: token, AFTER: after} = process.env;
const answer = await fetch(url + "/api/ws/tickets", {method: "POST", headers: {Authorization: "Bearer " + token}});
const {ticket} = await answer.json();
const socket = new WebSocket(url.replace("http", "ws") + "/api/ws?ticket=" + ticket, "dateline.v1.json");
const ids = [];
socket.onopen = () => socket.send(JSON.stringify({op: "sub", id: 1, topics: ["changes:ads"], last_event_id: after, credit: 2}));
socket.onerror = event => { console.error(event.message ?? event); process.exit(1); };
socket.onmessage = event => {
  const message = JSON.parse(event.data);
  if (message.op === "error") { console.error(event.data); process.exit(1); }
  if (message.op !== "event" || message.type !== "change") return;
  ids.push(message.data._id);
  socket.send(JSON.stringify({op: "ack", id: 1, seq: message.data.seq}));
  if (ids.length === 5) { console.log(JSON.stringify(ids)); socket.close(1000); }
};
socket.onclose = event => process.exit(ids.length === 5 && event.code === 1000 ? 0 : 1);
"#;

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a client against a program that holds five ads; what it printed.
async fn run(mut command: Command) -> String {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let after = admin.read("/readyz?verbose").await["seq"].to_string();
    for n in 0..5 {
        let ad = json!({"title": "x", "coords": [52.5, 13.4]});
        admin.put_new(&format!("/api/ads/ad-{n}"), &ad).reply().await.expect(201);
    }
    command.env("URL", admin.url()).env("TOKEN", admin.token()).env("AFTER", after);
    let done = tokio::task::block_in_place(|| outcome(command, Duration::from_secs(60)));
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    done.stdout
}

const ADS: &str = r#"["ad-0", "ad-1", "ad-2", "ad-3", "ad-4"]"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_python() {
    // Debian's package is for Debian's own Python, which need not be the first on the path.
    let given = std::env::var("PYTHON").ok();
    let pythons = [given.as_deref().unwrap_or("python3"), "/usr/bin/python3"];
    let Some(python) = pythons.into_iter().find(|python| runs(python, &["-c", "import websockets"])) else {
        parts::skip("sockets: python3 has no 'websockets' (python3-websockets, or pip install websockets)");
        return;
    };
    let mut command = Command::new(python);
    command.args(["-c", PYTHON]);
    assert_eq!(run(command).await.trim(), ADS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_javascript() {
    // Node has it without a flag from 22 on, 20 with one.
    let has = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
    let flags: &[&str] =
        match (runs("node", &["-e", has]), runs("node", &["--experimental-websocket", "-e", has])) {
            (true, _) => &[],
            (false, true) => &["--experimental-websocket"],
            (false, false) => {
                parts::skip("sockets: node is not installed, or has no WebSocket (20.10 or later has)");
                return;
            }
        };
    let mut command = Command::new("node");
    command.args(flags).args(["--input-type=module", "-e", NODE]);
    assert_eq!(run(command).await.trim().replace(',', ", "), ADS);
}
