//! Puts the built console (`console/dist`, made by npm) into the program, when it is there.
//!
//! Writes `console_files.rs`: one `File` per file with its address, media type, content hash and compressed form. All
//! bytes are copied to the build's own directory, so what was built in one checkout serves for the same one elsewhere.
//! Nothing is fetched and nothing is built here, so the server builds without Node and without a network.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("console/dist");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default());
    // Watching a missing directory would run this for every build; its parent is always there.
    println!("cargo:rerun-if-changed=console");
    println!("cargo:rerun-if-changed=build.rs");

    let mut paths = Vec::new();
    if root.is_dir() {
        find(&root, &mut paths)?;
    }
    paths.sort();
    let mut code = String::from("pub(crate) static FILES: &[File] = &[\n");
    for (number, path) in paths.iter().enumerate() {
        let bytes = fs::read(path)?;
        let address = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let hash = Sha256::digest(&bytes)
            .iter()
            .take(12)
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let include = |file: String, bytes: &[u8]| {
            fs::write(out.join(&file), bytes)?;
            io::Result::Ok(format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))"))
        };
        let gzip = match compressed(&bytes)? {
            Some(small) => format!("Some({})", include(format!("console-{number}.gz"), &small)?),
            None => "None".to_owned(),
        };
        let bytes = include(format!("console-{number}"), &bytes)?;
        let media_type = media_type(&address);
        let _ = writeln!(
            code,
            "    File {{ address: {address:?}, media_type: {media_type:?}, hash: {hash:?}, \
             bytes: {bytes}, gzip: {gzip} }},"
        );
    }
    code.push_str("];\n");
    fs::write(out.join("console_files.rs"), code)
}

fn find(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_none_or(|extension| extension != "map") {
            found.push(path);
        }
    }
    Ok(())
}

/// The compressed form, where it is worth its place.
fn compressed(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    let small = encoder.finish()?;
    Ok((small.len() + 256 <= bytes.len()).then_some(small))
}

fn media_type(address: &str) -> &'static str {
    match address.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
