//! Passwords: argon2id, at most two at a time.
//!
//! One hash takes 19 MiB and tens of milliseconds by design, so a crowd of sign-ins must queue, and a long queue is
//! refused. An unknown user costs the same hash as a known one, so the time tells nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use dateline_engine::{Error, Result};
use tokio::sync::Semaphore;

use crate::eve::problem::{Problem, Slug};
use crate::http::Refusal;
use crate::ids;

const HASHING_MAX: usize = 2;
const WAITING_MAX: usize = 64;
const PASSWORD_BYTES_MAX: usize = 1024;

/// The bounded pool.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The hash of a password that nobody knows.
    nobody: String,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(HASHING_MAX)),
            waiting: AtomicUsize::new(0),
            nobody: hash(&ids::hex(&ids::random::<16>()?))?,
        })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: String) -> std::result::Result<String, Refusal> {
        Ok(self.run(move || hash(&password)).await??)
    }

    /// Whether the password fits the hash; `None` for a user that does not exist, which never fits.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> std::result::Result<bool, Refusal> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let fits = self.run(move || fits(&password, &hash)).await?;
        Ok(known && fits)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::result::Result<T, Refusal> {
        let place = Place::take(&self.waiting)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        drop(place);
        let permit = permit.map_err(|_| Error::unavailable("the server is closing"))?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        Ok(task.await.map_err(|error| Error::internal(format!("password hashing: {error}")))?)
    }
}

/// A place in the queue, given back also when the request is dropped while it waits.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> std::result::Result<Self, Problem> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Problem::new(Slug::Overloaded, "too many sign-ins wait").retry_after(2));
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The PHC string of a password; slow.
pub(crate) fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal(format!("password hashing: {error}")))?;
    Ok(hash.to_string())
}

/// Whether a password fits a PHC string; slow. The string names its own parameters.
pub(crate) fn fits(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Whether a new password is long enough, and not so long that hashing it is an attack.
pub(crate) fn check_new(password: &str, min: usize) -> std::result::Result<(), Problem> {
    let reason = if password.chars().count() < min {
        format!("at least {min} characters are needed")
    } else if password.len() > PASSWORD_BYTES_MAX {
        format!("at most {PASSWORD_BYTES_MAX} bytes are taken")
    } else {
        return Ok(());
    };
    Err(Problem::new(Slug::ValidationFailed, format!("password: {reason}")).issue("password", reason))
}

/// A password typed at sign-in that cannot fit anything.
pub(crate) fn is_absurd(password: &str) -> bool {
    password.is_empty() || password.len() > PASSWORD_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_argon2id_and_salted() {
        let (a, b) = (hash("open sesame").unwrap(), hash("open sesame").unwrap());
        assert!(a.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{a}");
        assert_ne!(a, b);
        assert!(fits("open sesame", &a));
        assert!(!fits("open sesamE", &a));
        assert!(!fits("open sesame", "not a hash"));
    }

    #[tokio::test]
    async fn nobody_never_fits_and_a_long_queue_is_refused() {
        let passwords = Arc::new(Passwords::new().unwrap());
        assert!(!passwords.verify("x".into(), None).await.unwrap());
        let tasks: Vec<_> = (0..WAITING_MAX + HASHING_MAX + 20)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                tokio::spawn(async move { passwords.verify("x".into(), None).await })
            })
            .collect();
        let mut refused = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(fits) => assert!(!fits),
                Err(refusal) => {
                    assert_eq!(refusal.problem().status_code(), 503);
                    refused += 1;
                }
            }
        }
        assert!(refused > 0);
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn bounds_of_new_passwords() {
        assert!(check_new("1234567", 8).is_err());
        assert!(check_new("12345678", 8).is_ok());
        assert!(check_new(&"x".repeat(1025), 8).is_err());
    }
}
