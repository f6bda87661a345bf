//! The guard: tables, hostile name servers, random targets.

use dateline_transmit::Lent;
use dateline_transmit::egress::{Allowance, Class, ConnectError, Egress, Policy, Resolve, Target};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// Answers each question with the next of its answers, the last one for ever.
struct Script {
    answers: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> Lent<'a, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len() - 1);
        let answer = self.answers[turn].iter().map(|address| address.parse().unwrap()).collect();
        Box::pin(async { Ok(answer) })
    }
}

fn policy(allow: &[&str], own: &[&str]) -> Policy {
    Policy {
        allow: allow.iter().map(|text| text.parse().unwrap()).collect(),
        own: own.iter().map(|text| text.parse().unwrap()).collect(),
        file_roots: Vec::new(),
    }
}

fn scripted(policy: Policy, answers: &[&[&'static str]]) -> (Egress, Arc<Script>) {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    let script = Arc::new(Script { answers, asked: AtomicUsize::new(0) });
    (Egress::with_resolver(policy, script.clone()), script)
}

fn reason(result: Result<tokio::net::TcpStream, ConnectError>) -> String {
    match result {
        Ok(_) => "connected".to_owned(),
        Err(ConnectError::Denied(denied)) => {
            assert_eq!(denied.to_string(), "destination not allowed");
            denied.reason()
        }
        Err(ConnectError::Unreachable(why)) => format!("unreachable: {why}"),
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Judged and connected to are one answer: the second, which is bad, is never asked for.
    let allowed = format!("127.0.0.1:{port}");
    let (egress, script) = scripted(policy(&[&allowed], &[]), &[&["127.0.0.1"], &["10.0.0.1"]]);
    let target = Target::new("rebinding.example", port).unwrap();
    let stream = egress.connect(Class::Http, &target).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().port(), port);
    assert_eq!(script.asked.load(Ordering::Relaxed), 1);
    assert!(reason(egress.connect(Class::Http, &target).await).contains("is a private address"));
}

#[tokio::test]
async fn one_bad_address_of_several_refuses_them_all() {
    for answer in [
        &["8.8.8.8", "10.0.0.1"][..],
        &["10.0.0.1", "8.8.8.8"],
        &["2606:4700::1", "8.8.8.8", "::ffff:10.0.0.1"],
        &["64:ff9b::a00:1"],
    ] {
        let (egress, _) = scripted(policy(&[], &[]), &[answer]);
        let target = Target::new("mixed.example", 443).unwrap();
        assert!(reason(egress.connect(Class::Http, &target).await).contains("is a private address"));
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_unreachable() {
    let (egress, _) = scripted(policy(&[], &[]), &[&[]]);
    let target = Target::new("empty.example", 443).unwrap();
    assert!(reason(egress.connect(Class::Http, &target).await).starts_with("unreachable"));
}

#[tokio::test]
async fn this_server_is_never_reached() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = format!("0.0.0.0:{port}");
    let policy = policy(&["127.0.0.0/8:*", "0.0.0.0/8:*"], &[&own]);
    let egress = Egress::new(policy);
    for host in ["127.0.0.1", "127.8.8.8", "0.0.0.0", "::ffff:127.0.0.1"] {
        let target = Target::new(host, port).unwrap();
        assert!(reason(egress.connect(Class::Http, &target).await).contains("is this server"), "{host}");
    }
}

#[tokio::test]
async fn this_server_is_never_reached_by_an_address_of_the_machine() {
    // An address of an interface, as a datagram socket learns it without sending anything.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if probe.connect("192.0.2.1:9").is_err() {
        eprintln!("skipped: this machine has no route");
        return;
    }
    let IpAddr::V4(interface) = probe.local_addr().unwrap().ip() else { return };
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = policy(&[&format!("{interface}:*")], &[&format!("0.0.0.0:{port}")]);
    let target = Target::new(&interface.to_string(), port).unwrap();
    assert!(reason(Egress::new(policy).connect(Class::Http, &target).await).contains("is this server"));
}

#[test]
fn targets_are_judged_by_address_port_and_allowance() {
    let check = |allow: &[&str], class: Class, host: &str, port: u16, expected: Result<(), &str>| {
        let egress = Egress::new(policy(allow, &["10.9.9.9:443"]));
        let address = host.parse().unwrap();
        let judged = egress.judge(class, &Target::new(host, port).unwrap(), address);
        match (judged, expected) {
            (Ok(()), Ok(())) => {}
            (Err(denied), Err(words)) => assert!(denied.reason().contains(words), "{}", denied.reason()),
            (judged, _) => panic!("{allow:?} {host} {port}: {judged:?}"),
        }
    };
    use Class::{Ftp, Http, Mail, Queue};
    check(&[], Http, "8.8.8.8", 443, Ok(()));
    check(&[], Http, "8.8.8.8", 8443, Ok(()));
    check(&[], Http, "2606:4700::1", 443, Ok(()));
    check(&[], Http, "8.8.8.8", 25, Err("port 25"));
    check(&[], Mail, "8.8.8.8", 25, Ok(()));
    check(&[], Mail, "8.8.8.8", 443, Err("port 443"));
    check(&[], Ftp, "8.8.8.8", 21, Ok(()));
    check(&[], Ftp, "8.8.8.8", 22, Err("port 22"));
    check(&[], Queue, "8.8.8.8", 443, Ok(()));
    check(&[], Http, "10.2.0.1", 443, Err("private"));
    check(&["10.2.0.0/16:443"], Http, "10.2.0.1", 443, Ok(()));
    check(&["10.2.0.0/16:443"], Http, "::ffff:10.2.0.1", 443, Ok(()));
    check(&["10.2.0.0/16:443"], Http, "10.2.0.1", 80, Err("private"));
    check(&["10.2.0.0/16:443"], Http, "10.3.0.1", 443, Err("private"));
    check(&["10.2.0.1:*"], Http, "10.2.0.1", 1, Ok(()));
    check(&["ftp 10.2.0.0/16:*"], Http, "10.2.0.1", 443, Err("private"));
    check(&["ftp 10.2.0.0/16:*"], Ftp, "10.2.0.1", 2121, Ok(()));
    check(&["[fd12::/64]:8443"], Http, "fd12::1", 8443, Ok(()));
    check(&["[fd12::/64]:8443"], Http, "fd13::1", 8443, Err("private"));
    // Wider than a range: opens ports of the public internet, and no range.
    check(&["0.0.0.0/0:9000"], Http, "8.8.8.8", 9000, Err("port 9000"));
    check(&["8.0.0.0/8:9000"], Http, "8.8.8.8", 9000, Ok(()));
    check(&["0.0.0.0/0:9000"], Http, "10.2.0.1", 9000, Err("private"));
    check(&["169.254.0.0/16:80"], Http, "169.254.169.254", 80, Err("metadata"));
    check(&["169.254.169.254:80"], Http, "169.254.169.254", 80, Ok(()));
    check(&["10.0.0.0/8:*"], Http, "10.9.9.9", 443, Err("is this server"));
}

#[test]
fn allowances_are_read_strictly() {
    for text in [
        "10.2.0.0/16:443",
        "10.2.0.1:443",
        "10.2.0.1:*",
        "[::1]:80",
        "[fd00::/8]:*",
        "mail 127.0.0.1:25",
        " 10.0.0.0/8:1 ",
    ] {
        assert!(text.parse::<Allowance>().is_ok(), "{text}");
    }
    for text in [
        "",
        ":",
        "10.2.0.0/16",
        "10.2.0.0/33:443",
        "10.2.0.1:0",
        "10.2.0.1:65536",
        "10.2.0.1:-1",
        "::1:80",
        "[::1:80",
        "example.com:443",
        "telnet 10.0.0.1:23",
        "10.2.0.0/:443",
        "10.2.0.0/a:443",
        "[fd00::/129]:1",
        "10.2:80",
    ] {
        assert!(text.parse::<Allowance>().is_err(), "{text}");
    }
}

#[test]
fn hosts_are_names_or_addresses() {
    for (host, expected) in [
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        (" example.com ", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_host.local", "my_host.local"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
    ] {
        assert_eq!(Target::new(host, 80).unwrap().host(), expected, "{host}");
    }
    for host in [
        "",
        " ",
        ".",
        "..",
        "a..b",
        "-a.example",
        "a b",
        "a/b",
        "a@b",
        "a:80",
        "user@host",
        "a\r\nb",
        "a\0b",
        "fe80::1%eth0",
        "256.256.256.256",
        "metadata",
        "instance-data",
        &"a".repeat(64),
        &"a.".repeat(128),
        "/var/run/docker.sock",
        "unix:/run/x",
    ] {
        assert!(Target::new(host, 80).is_err(), "{host:?}");
    }
    assert!(Target::new("example.com", 0).is_err());
}

/// Whatever text is a host or a URL: nothing panics, and what is let through is public at a usual port.
#[test]
fn random_targets_are_public_or_refused() {
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let egress = Egress::new(policy(&[], &[]));
    let pieces = [
        "http://",
        "https:\\\\",
        "ftp://",
        "127",
        ".",
        "0",
        "0x7f",
        "1",
        "localhost",
        "[",
        "]",
        "::",
        ":",
        "@",
        "/",
        "ffff",
        "fe80",
        "64:ff9b::",
        "2002:",
        "169.254",
        "10",
        "%",
        "25",
        "\u{ff0e}",
        "\u{3002}",
        "①",
        "#",
        "?",
        "\t",
        "\0",
        "8",
        "80",
        "443",
        "\\",
        "-",
        "a",
        "example",
        "%31",
        "xn--",
        "ß",
        "\u{200b}",
    ];
    let mut judged = 0;
    for _ in 0..100_000 {
        let text: String = (0..random.usize(1..12)).map(|_| pieces[random.usize(..pieces.len())]).collect();
        let target = match url::Url::parse(&text) {
            Ok(url) => Target::of_url(&url, &["http", "https"]),
            Err(_) => Target::new(&text, 443),
        };
        let Ok(target) = target else { continue };
        let Ok(address) = target.host().parse::<IpAddr>() else {
            let name = target.host();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
                "{text:?}"
            );
            continue;
        };
        judged += 1;
        if egress.judge(Class::Http, &target, address).is_ok() {
            let is_special = match address {
                IpAddr::V4(v4) => {
                    v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.octets()[0] == 0
                }
                IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.to_ipv4().is_some(),
            };
            assert!(!is_special && [80, 443, 8080, 8443].contains(&target.port()), "{text:?} is {address}");
        }
    }
    assert!(judged > 1000, "{judged}");
}

#[test]
fn an_allowance_of_an_address_is_of_its_port_only() {
    let address: SocketAddr = "127.0.0.1:8088".parse().unwrap();
    let egress = Egress::new(Policy { allow: vec![Allowance::of(address)], own: vec![], file_roots: vec![] });
    let judge = |port| {
        let target = Target::new("127.0.0.1", port).unwrap();
        egress.judge(Class::Http, &target, address.ip()).is_ok()
    };
    assert!(judge(8088) && !judge(8089));
}
