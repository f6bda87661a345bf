//! One socket from its first message to its close: commands in, answers and events out, in one task.
//!
//! Nothing is read ahead of what the client takes: while a message cannot be written, nothing else is looked for, and a
//! client that takes nothing for `limits.socket_stall_s` is cut off. Each command is answered once. Whoever the token
//! stands for is asked at each command, and when something about the user has changed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use dateline_engine::{Durability, Seq};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesOrdered, SelectAll};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::closing::Closing;
use super::command::{Command, Refused, Wanted};
use super::line::{Line, Step};
use super::rate::{Rate, Verdict};
use super::subscription::{self, Begun, Open, Piece};
use super::words;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::places::ingest;
use crate::streams::caller::Caller;
use crate::streams::connections::{Call, Seat};
use crate::streams::named::Named;
use crate::streams::telling::{Bye, Told};

/// Subscriptions of one socket.
const SUBSCRIPTIONS_MAX: usize = 64;
/// Answers under way; then the next command has to wait.
const ANSWERS_MAX: usize = 16;

/// See the module.
pub(super) struct Session {
    app: App,
    line: Line,
    caller: Caller,
    seat: Seat,
    open: HashMap<u64, Open>,
    pieces: SelectAll<BoxStream<'static, Piece>>,
    /// Answers that wait for the disk, in the order of the commands.
    answers: FuturesOrdered<BoxFuture<'static, String>>,
    rate: Rate,
    heard: Instant,
    silence: Duration,
}

impl Session {
    pub(super) fn new(app: App, socket: WebSocket, caller: Caller, seat: Seat) -> Self {
        let (now, limits) = (Instant::now(), &app.config().limits);
        let silence = Duration::from_secs(limits.socket_silence_s);
        Self {
            line: Line::new(socket, Duration::from_secs(limits.socket_stall_s)),
            caller,
            seat,
            open: HashMap::new(),
            pieces: SelectAll::new(),
            answers: FuturesOrdered::new(),
            rate: Rate::new(now),
            heard: now,
            silence,
            app,
        }
    }

    /// Serves the socket until it ends.
    pub(super) async fn run(mut self) {
        let closing = self.serve().await;
        tracing::debug!(user = %self.caller.principal.username, ?closing, "socket ends");
        self.leave(closing).await;
    }

    async fn serve(&mut self) -> Closing {
        let mut draining = self.app.draining();
        let mut beat = tokio::time::interval(self.silence / 3);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                message = self.line.hear(), if self.answers.len() < ANSWERS_MAX => self.message(message).await,
                Some(piece) = self.pieces.next(), if !self.pieces.is_empty() => self.piece(piece).await,
                Some(answer) = self.answers.next(), if !self.answers.is_empty() => self.say(answer).await,
                call = self.seat.call() => self.called(call),
                () = begun(&mut draining) => Err(Closing::Shutdown),
                _ = beat.tick() => self.beat().await,
            };
            if let Err(closing) = step {
                return closing;
            }
        }
    }

    /// Gives everything back, and the client a moment to hear why.
    async fn leave(mut self, closing: Closing) {
        // Readers and names are given back now, not when the client has gone.
        self.pieces.clear();
        self.open.clear();
        if let Some((_, reason)) = closing.told() {
            self.seat.closes(reason);
        }
        self.line.end(closing).await;
    }

    async fn message(&mut self, message: Result<Message, Closing>) -> Step {
        let message = message?;
        self.heard = Instant::now();
        let verdict = self.rate.take(self.heard);
        if verdict == Verdict::Hopeless {
            return Err(Closing::TooManyMessages);
        }
        match message {
            Message::Text(_) if verdict == Verdict::Refused => {
                let problem = Problem::new(Slug::RateLimited, "too many messages").retry_after(1);
                self.say(words::error(&Refused { re: None, id: None, problem })).await
            }
            Message::Text(text) => {
                self.seat.received();
                match Command::parse(&text) {
                    Ok(command) => Box::pin(self.command(command)).await,
                    Err(refused) => self.say(words::error(&refused)).await,
                }
            }
            Message::Binary(_) => Err(Closing::Binary),
            // The library answers both.
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(Closing::Gone),
        }
    }

    async fn command(&mut self, command: Command) -> Step {
        self.stand(true)?;
        match command {
            Command::Ping => self.say(words::ok("ping", None, Value::Null)).await,
            Command::Subscribe(wanted) => self.subscribe(*wanted).await,
            Command::Acknowledge { id, seq } => self.acknowledge(id, seq).await,
            Command::Unsubscribe { id, forget } => self.unsubscribe(id, forget).await,
            Command::Positions { positions, durability } => self.positions(positions, durability).await,
        }
    }

    async fn refuse(&mut self, re: &'static str, id: Option<u64>, problem: Problem) -> Step {
        self.say(words::error(&Refused { re: Some(re), id, problem })).await
    }

    async fn subscribe(&mut self, wanted: Wanted) -> Step {
        let id = wanted.id;
        let (name, credit) = (wanted.name.clone(), wanted.credit);
        let begun = if self.open.contains_key(&id) {
            let problem = Problem::new(Slug::Conflict, format!("id: there is a subscription {id} already"));
            Err(problem.issue("id", "in use"))
        } else if self.open.len() >= SUBSCRIPTIONS_MAX {
            let detail = format!("a socket has {SUBSCRIPTIONS_MAX} subscriptions at the most");
            Err(Problem::new(Slug::RateLimited, detail))
        } else {
            subscription::begin(&self.app, &self.caller, wanted).await
        };
        match begun {
            Err(problem) => self.refuse("sub", Some(id), problem).await,
            Ok(Begun { open, hello, pieces }) => {
                self.seat.add(std::sync::Arc::clone(&open.window));
                self.open.insert(id, open);
                self.pieces.push(pieces);
                let mut also = json!({"name": name, "credit": credit});
                if let (Some(also), Value::Object(hello)) = (also.as_object_mut(), hello) {
                    also.extend(hello);
                }
                self.say(words::ok("sub", Some(id), also)).await
            }
        }
    }

    async fn acknowledge(&mut self, id: u64, seq: Seq) -> Step {
        let open = self.open.get(&id).filter(|open| !open.named.as_ref().is_some_and(Named::is_lost));
        let Some(open) = open else { return self.refuse("ack", Some(id), unknown(id)).await };
        let acked = match open.window.ack(seq) {
            Ok(acked) => acked,
            Err(problem) => return self.refuse("ack", Some(id), problem).await,
        };
        let done = words::ok("ack", Some(id), json!({"seq": acked.get()}));
        let Some(named) = &open.named else { return self.say(done).await };
        let stored = named.store(acked);
        self.answers.push_back(Box::pin(async move {
            match stored.await {
                Ok(_) => done,
                Err(error) => words::error(&Refused { re: Some("ack"), id: Some(id), problem: error.into() }),
            }
        }));
        Ok(())
    }

    async fn unsubscribe(&mut self, id: u64, forget: bool) -> Step {
        let Some(open) = self.open.remove(&id) else {
            return self.refuse("unsub", Some(id), unknown(id)).await;
        };
        open.stop();
        self.seat.remove(id);
        if let (true, Some(named)) = (forget, &open.named)
            && let Err(error) = self.app.commit(named.forget()).await
        {
            return self.refuse("unsub", Some(id), error.into()).await;
        }
        self.say(words::ok("unsub", Some(id), Value::Null)).await
    }

    async fn positions(&mut self, positions: Vec<Value>, durability: Durability) -> Step {
        let taking = ingest::accept(&self.app, &self.caller.principal, &positions, durability);
        let taking = match taking {
            Ok(taking) => taking,
            Err(refusal) => return self.refuse("pos", None, refusal.into_problem()).await,
        };
        self.answers.push_back(Box::pin(async move {
            match taking.await {
                Ok(taken) => {
                    let mut message = json!({"op": "pos"});
                    if let (Some(message), Value::Object(taken)) = (message.as_object_mut(), taken) {
                        message.extend(taken);
                    }
                    message.to_string()
                }
                Err(error) => words::error(&Refused { re: Some("pos"), id: None, problem: error.into() }),
            }
        }));
        Ok(())
    }

    /// Sends what a subscription has to say.
    async fn piece(&mut self, piece: Piece) -> Step {
        let Piece { id, told, bye } = piece;
        let Some(open) = self.open.get(&id) else { return Ok(()) };
        if let Some(why) = bye {
            return match why {
                Bye::Shutdown => Err(Closing::Shutdown),
                Bye::SignedOut => Err(Closing::SignedOut),
                Bye::Forbidden => Err(Closing::RightsChanged),
                Bye::Disconnected => Err(Closing::Disconnected),
                Bye::Failed | Bye::TakenOver | Bye::Forgotten => {
                    self.open.remove(&id);
                    self.seat.remove(id);
                    self.say(words::bye(Some(id), why.reason())).await
                }
            };
        }
        if let (Some(named), Some(passed)) = (&open.named, open.window.passed())
            && told.iter().any(Told::is_position)
            && !named.is_lost()
        {
            named.pass(passed);
        }
        self.seat.sent(told.iter().filter(|told| told.is_event()).count());
        for told in &told {
            self.line.put(Message::Text(words::event(id, told).into())).await?;
        }
        self.line.flush().await
    }

    async fn say(&mut self, text: String) -> Step {
        self.line.say(Message::Text(text.into())).await
    }

    /// Asks a client that has said nothing for a while, and gives up one that does not answer.
    async fn beat(&mut self) -> Step {
        let silent = self.heard.elapsed();
        if silent >= self.silence {
            return Err(Closing::Silent);
        }
        if silent < self.silence / 4 {
            return Ok(());
        }
        self.line.say(Message::Ping(Vec::new().into())).await
    }

    fn called(&self, call: Call) -> Step {
        match call {
            Call::Disconnect => Err(Closing::Disconnected),
            Call::LookAgain => self.stand(false),
        }
    }

    /// Asks who the token stands for now. A command counts as using the session, being open does not.
    fn stand(&self, uses: bool) -> Step {
        let found = self.app.auth().identify(self.app.store(), &self.caller.credentials);
        let found = found.map_err(|error| {
            tracing::error!(%error, "the user of a socket cannot be read");
            Closing::Failed
        })?;
        let found = found.ok_or(Closing::SignedOut)?;
        if !found.principal.has_rights_of(&self.caller.principal) {
            return Err(Closing::RightsChanged);
        }
        if let (true, Some(refresh)) = (uses, found.refresh) {
            self.app.refresh(refresh);
        }
        Ok(())
    }
}

/// Waits until the server begins to stop.
async fn begun(draining: &mut watch::Receiver<bool>) {
    // An error is the end of the app, which is later.
    let _ = draining.wait_for(|draining| *draining).await;
}

fn unknown(id: u64) -> Problem {
    Problem::new(Slug::NotFound, format!("id: there is no subscription {id}")).issue("id", "unknown")
}
