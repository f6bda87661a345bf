use std::collections::BTreeSet;

use super::*;
use crate::auth::credentials::{Carrier, Credentials};
use crate::auth::{Scopes, UserType};
use crate::config::Config;
use crate::http::Peer;

fn caller(user: &str, address: &str) -> Caller {
    let id = |text: &str| DocId::new(text).unwrap();
    Caller {
        principal: Principal {
            user: id(user),
            username: user.into(),
            user_type: UserType::User,
            role: Some(id("editors")),
            privileges: Arc::new(BTreeSet::new()),
            scopes: Scopes::All,
            carried: Carried::Session(id(&format!("session-of-{user}"))),
        },
        credentials: Credentials { token: String::new(), carrier: Carrier::Header },
        peer: Peer { ip: address.parse().unwrap(), tls: false },
        agent: "test".into(),
    }
}

fn connections() -> Connections {
    let mut limits = Config::new().limits;
    (limits.streams_max, limits.streams_per_user_max, limits.streams_per_address_max) = (6, 3, 4);
    Connections::new(&limits, Gauge::default())
}

#[test]
fn places_are_bounded_and_come_back() {
    let connections = connections();
    let take = |user: &str, address: &str| {
        connections.take(Kind::Events, &caller(user, address), "changes", Millis::new(0))
    };
    let refused = |user: &str, address: &str| take(user, address).err().map(|problem| problem.status_code());
    let mut held: Vec<_> = (0..3).map(|_| take("a", "10.0.0.1").unwrap()).collect();
    assert_eq!(refused("a", "10.0.0.2"), Some(429), "of the user");
    held.push(take("b", "10.0.0.1").unwrap());
    assert_eq!(refused("c", "10.0.0.1"), Some(429), "of the address");
    held.extend((0..2).map(|_| take("b", "10.0.0.2").unwrap()));
    assert_eq!(refused("c", "10.0.0.3"), Some(503), "of all");
    assert_eq!(connections.gauge.get(), 6);
    assert_eq!(connections.shown().len(), 6);
    assert_eq!(connections.present().len(), 2);
    drop(held);
    assert_eq!(connections.gauge.get(), 0);
    let open = connections.open();
    assert!(open.by_number.is_empty() && open.users.is_empty() && open.addresses.is_empty());
    drop(open);
    assert!(take("a", "10.0.0.1").is_ok());
}

#[tokio::test]
async fn calls_reach_those_they_are_for() {
    let connections = connections();
    let take =
        |user: &str| connections.take(Kind::Socket, &caller(user, "10.0.0.1"), "", Millis::new(0)).unwrap();
    let (ann, bob) = (take("ann"), take("bob"));
    let id = |text: &str| DocId::new(text).unwrap();
    let waits = |seat: &Seat| futures_util::FutureExt::now_or_never(seat.call());
    for (source, name) in [(Source::User, "ann"), (Source::Token, "session-of-ann")] {
        connections.look_again(&[(source, id(name))]);
        assert_eq!((waits(&ann), waits(&bob)), (Some(Call::LookAgain), None), "{name}");
    }
    connections.look_again(&[(Source::Role, id("editors"))]);
    assert_eq!((waits(&ann), waits(&bob)), (Some(Call::LookAgain), Some(Call::LookAgain)));
    assert!(connections.disconnect(bob.number) && !connections.disconnect(99));
    assert_eq!((waits(&ann), waits(&bob)), (None, Some(Call::Disconnect)));
    assert!(bob.is_to_end() && !ann.is_to_end());
}
