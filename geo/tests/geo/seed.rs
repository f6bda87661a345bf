//! Seeds of random tests: printed, and taken from `SEED` to run the same again.

use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner of `cases` cases; `CASES` overrides the number.
pub(crate) fn runner(test: &str, cases: u32) -> TestRunner {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or_else(|| RandomState::new().hash_one(test));
    eprintln!("{test}: run again with SEED={seed}");
    let cases = number("CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(cases);
    let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
