//! Media from outside: files in and out, what is made of them, what is refused, and how they reach subscribers.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use crate::client::{Call, Client, Reply, query};
use crate::program::Server;
use crate::publishing::{act, encoded, make, newsroom};
use crate::receiver::Receiver;

/// A picture with a bright disc at a quarter of its width and height.
fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let pixels = RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (f64::from(x) - f64::from(width) / 4.0, f64::from(y) - f64::from(height) / 4.0);
        let is_disc = dx.hypot(dy) < f64::from(width.min(height)) * 0.08;
        if is_disc { Rgb([240, 220, 40]) } else { Rgb([70, 90, 120]) }
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(pixels).write_to(&mut bytes, ImageFormat::Jpeg).expect("a picture");
    bytes.into_inner()
}

/// The same with EXIF that says it lies on its side, and where it was taken.
fn photo(width: u32, height: u32, orientation: u16) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat()
    };
    let [high, low] = orientation.to_be_bytes();
    // 8: two entries to 38; 38: the place with two entries to 68; 68: the latitude.
    let mut exif = [&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x02"[..]].concat();
    exif.extend(entry(0x0112, 3, 1, [high, low, 0, 0]));
    exif.extend(entry(0x8825, 4, 1, 38_u32.to_be_bytes()));
    exif.extend([0; 4]);
    exif.extend(2_u16.to_be_bytes());
    exif.extend(entry(1, 2, 2, *b"N\0\0\0"));
    exif.extend(entry(2, 5, 3, 68_u32.to_be_bytes()));
    exif.extend([0; 4]);
    exif.extend([52_u32, 1, 31, 1, 7, 1].iter().flat_map(|value| value.to_be_bytes()));
    let jpeg = jpeg(width, height);
    let size = u16::try_from(exif.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &size, &exif, &jpeg[2..]].concat()
}

/// A PNG of some bytes that says it is 60000x60000.
fn bomb() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(2, 2).write_to(&mut bytes, ImageFormat::Png).expect("a picture");
    let mut bytes = bytes.into_inner();
    bytes[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let sum = bytes[12..29].iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    });
    bytes[29..33].copy_from_slice(&(!sum).to_be_bytes());
    bytes
}

const BOUNDARY: &str = "a-boundary-of-the-test";

/// A form with fields, and a file in `media` under a name and a type that the sender claims.
fn form<'a>(
    client: &'a Client,
    path: &str,
    fields: &[(&str, &str)],
    file: Option<(&str, &[u8])>,
) -> Call<'a> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(head.into_bytes());
    }
    if let Some((name, bytes)) = file {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{name}\"\r\n\
             Content-Type: text/html\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    client.call("POST", path).raw(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

async fn upload(client: &Client, name: &str, bytes: &[u8]) -> Value {
    form(client, "/api/upload", &[], Some((name, bytes))).reply().await.expect(201).json()
}

async fn picture(client: &Client, fields: &[(&str, &str)], bytes: &[u8]) -> Value {
    form(client, "/api/archive", fields, Some(("bench.jpg", bytes))).reply().await.expect(201).json()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn size(rendition: &Value) -> (u64, u64) {
    let edge = |name: &str| rendition[name].as_u64().unwrap_or_else(|| panic!("no {name}: {rendition}"));
    (edge("width"), edge("height"))
}

async fn holders(client: &Client, wanted: Value) -> Value {
    client.read(&format!("/api/media_references?{}", query(&[("where", &wanted.to_string())]))).await
}

async fn bytes_of(client: &Client, rendition: &Value) -> Vec<u8> {
    client.get(text(rendition, "href")).reply().await.expect(200).body.to_vec()
}

fn issue(reply: Reply, status: u16, field: &str, words: &str) {
    let body = reply.expect(status).json();
    let told = &body["_issues"][field];
    assert!(told.to_string().contains(words), "expected {words} of {field} in {body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_looked_at_and_read_by_ranges() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let sent = jpeg(1200, 1600);
    let document = upload(&admin, "../../park.jpg", &sent).await;
    assert_eq!((text(&document, "mimetype"), text(&document, "filename")), ("image/jpeg", "park.jpg"));
    let renditions = &document["renditions"];
    assert_eq!(size(&renditions["original"]), (1200, 1600));
    assert_eq!(size(&renditions["viewImage"]), (150, 200));
    assert_eq!(size(&renditions["thumbnail"]), (45, 60));
    let (x, y) = (document["poi"]["x"].as_f64(), document["poi"]["y"].as_f64());
    assert!(
        x.is_some_and(|x| (x - 0.25).abs() < 0.05) && y.is_some_and(|y| (y - 0.25).abs() < 0.05),
        "{document}"
    );
    assert!(document["metadata"]["exif"].is_object() && text(&document, "filemeta_json").contains("length"));
    let raw = format!("/api/upload/{}/raw", text(&document, "_id"));
    let whole = admin.get(&raw).reply().await.expect(200);
    assert!(whole.body[..] == sent[..], "the bytes are those that were sent");
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("accept-ranges", "bytes"),
        ("content-disposition", "inline; filename*=UTF-8''park%2Ejpg"),
    ] {
        assert_eq!(whole.header(name), Some(value), "{name}");
    }
    let part = admin.get(&raw).header("range", "bytes=10-19").reply().await.expect(206);
    assert!(part.body[..] == sent[10..20]);
    let tag = whole.header("etag").expect("a tag").to_owned();
    admin.get(&raw).header("if-none-match", &tag).reply().await.expect(304);
    admin.get(&raw).header("range", "bytes=99999999-").reply().await.expect(416);
    let file = format!("/api/upload-raw/{}.jpg?download=1", text(&document, "media"));
    let file = admin.get(&file).reply().await.expect(200);
    assert!(file.header("content-disposition").is_some_and(|told| told.starts_with("attachment")));
    let small =
        image::load_from_memory(&bytes_of(&admin, &renditions["viewImage"]).await).expect("a picture");
    assert_eq!((small.width(), small.height()), (150, 200));
    assert_eq!(Client::stranger(&server).get(&raw).reply().await.status, 401);
    admin.get("/api/upload-raw/0000.jpg").reply().await.expect(404);
    // The same bytes are the same file; a removed upload is gone, its file is not while another holds it.
    let again = upload(&admin, "again.jpg", &sent).await;
    assert_eq!(again["media"], document["media"]);
    let etag = text(&document, "_etag");
    admin.delete(&format!("/api/upload/{}", text(&document, "_id")), etag).reply().await.expect(204);
    let rows = holders(&admin, json!({"media_id": again["media"]})).await;
    assert_eq!(rows["_meta"]["total"], 1, "{rows}");
    // What is no picture is kept as bytes that no browser runs.
    let page = upload(&admin, "page.html", b"<!DOCTYPE html><script>alert(1)</script>").await;
    let page = admin.get(&format!("/api/upload/{}/raw", text(&page, "_id"))).reply().await.expect(200);
    assert_eq!(page.header("content-type"), Some("application/octet-stream"));
    assert!(page.header("content-disposition").is_some_and(|told| told.starts_with("attachment")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_is_refused_by_its_field() {
    let mut server = Server::idle();
    server.flags(&["--set", "limits.upload_bytes_max=400000", "--set", "limits.picture_pixels_max=1000000"]);
    server.launch();
    let admin = Client::admin(&server).await;
    let both = [("URL", "data:,a")];
    let both = form(&admin, "/api/upload", &both, Some(("a.jpg", &jpeg(20, 20)))).reply().await;
    let words = "Uploading file by URL and file stream in the same time is not supported.";
    issue(both, 400, "media", words);
    let nothing = form(&admin, "/api/upload", &[], None).reply().await;
    issue(nothing, 400, "media", "required");
    let told = form(&admin, "/api/upload", &[], Some(("a.png", &bomb()))).reply().await;
    issue(told, 400, "media", "the picture is 60000x60000; at most 1000000 pixels are taken");
    let told = form(&admin, "/api/upload", &[], Some(("a.jpg", &jpeg(1100, 1000)))).reply().await;
    issue(told, 400, "media", "1100x1000");
    let told = form(&admin, "/api/upload", &[], Some(("a.jpg", &jpeg(40, 40)[..60]))).reply().await;
    issue(told, 400, "media", "cannot be decoded");
    form(&admin, "/api/upload", &[], Some(("a.bin", &vec![7; 500_000]))).reply().await.expect(413);
    let edges = [("CropLeft", "1"), ("CropTop", "1")];
    let told = form(&admin, "/api/upload", &edges, Some(("a.jpg", &jpeg(40, 40)))).reply().await;
    issue(told, 400, "CropRight", "four edges");
    admin.call("POST", "/api/upload").raw("text/plain", "x").reply().await.expect(415);
    admin.call("POST", "/api/upload").raw("multipart/form-data", "x").reply().await.expect(400);
    for url in [
        "http://127.0.0.1:9/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a",
        "http://localhost/a",
        "file:///etc/passwd",
        "http://user:word@example.com/a",
        "ftp://example.com/a",
    ] {
        let told = admin.post("/api/upload", &json!({"URL": url})).reply().await;
        issue(told, 400, "URL", "source not allowed");
    }
    issue(admin.post("/api/upload", &json!({"URL": "no url"})).reply().await, 400, "URL", "cannot be read");
    issue(admin.post("/api/upload", &json!({"URL": 3})).reply().await, 400, "URL", "string");
    // Nobody makes a document of a file that is not there, or of one that is somebody else's.
    let (upload, media) = (
        json!({"op": "create", "resource": "upload", "_id": "x", "doc": {}}),
        json!({"op": "create", "resource": "media", "_id": "y", "doc": {}}),
    );
    let lines = admin
        .call("POST", "/api/bulk")
        .raw("application/x-ndjson", format!("{upload}\n{media}"))
        .reply()
        .await;
    let lines = lines.expect(200).text();
    assert_eq!(lines.matches("\"status\":403").count(), 2, "{lines}");
    let list = admin.read("/api/upload").await;
    assert_eq!(list["_meta"]["total"], 0, "nothing was stored: {list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_by_url_and_can_be_cut() {
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (_server, admin) = newsroom(&receiver, files.path()).await;
    let sent = jpeg(300, 200);
    let url = format!("data:image/gif;base64,{}", STANDARD.encode(&sent));
    let inside = admin.post("/api/upload", &json!({"URL": url})).reply().await.expect(201).json();
    assert_eq!(
        (text(&inside, "mimetype"), size(&inside["renditions"]["original"])),
        ("image/jpeg", (300, 200))
    );
    let crop = json!({"URL": url, "CropLeft": 100, "CropTop": 50, "CropRight": 200, "CropBottom": 150});
    let cut = admin.post("/api/upload", &crop).reply().await.expect(201).json();
    assert_eq!(size(&cut["renditions"]["original"]), (100, 100));
    let fetched = json!({"URL": receiver.url("/files/answer.json")});
    let fetched = admin.post("/api/upload", &fetched).reply().await.expect(201).json();
    assert_eq!((text(&fetched, "filename"), &fetched["length"]), ("answer.json", &json!(2)));
    receiver.answer("/files/gone", 404);
    let gone = admin.post("/api/upload", &json!({"URL": receiver.url("/files/gone")})).reply().await;
    issue(gone, 400, "URL", "the server answers 404");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_made_of_a_file_and_cropped() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    make(
        &admin,
        "vocabularies",
        json!({
            "_id": "crop_sizes", "display_name": "Crops", "items": [
                {"name": "4-3", "width": 400, "height": 300, "is_active": true},
                {"name": "huge", "width": 4000, "height": 3000, "is_active": true},
                {"name": "wide", "ratio": "16:9", "is_active": true},
                {"name": "off", "width": 40, "height": 30, "is_active": false},
            ],
        }),
    )
    .await;
    let fields = [("headline", "A bench"), ("urgency", "2"), ("slugline", "bench")];
    let item = picture(&admin, &fields, &photo(1600, 1200, 6)).await;
    assert_eq!(
        (text(&item, "type"), text(&item, "state"), &item["urgency"]),
        ("picture", "in_progress", &json!(2))
    );
    assert!(text(&item, "_id").starts_with("tag:") && text(&item, "guid") == text(&item, "_id"), "{item}");
    assert_eq!((text(&item, "mimetype"), text(&item, "profile")), ("image/jpeg", "picture"));
    let renditions = item["renditions"].as_object().expect("renditions");
    let names: Vec<&str> = renditions.keys().map(String::as_str).collect();
    assert_eq!(names, ["original", "baseImage", "thumbnail", "viewImage", "4-3"]);
    // It stands upright; boxes are those of pictures.
    assert_eq!(size(&renditions["original"]), (1200, 1600));
    assert_eq!(size(&renditions["viewImage"]), (480, 640));
    assert_eq!(size(&renditions["baseImage"]), (1050, 1400));
    assert_eq!(size(&renditions["4-3"]), (400, 300));
    assert_eq!(
        (&renditions["4-3"]["CropTop"], &renditions["4-3"]["CropBottom"]),
        (&json!(350), &json!(1250))
    );
    let filemeta: Value = serde_json::from_str(text(&item, "filemeta_json")).expect("JSON");
    assert_eq!(filemeta["gpsinfo"]["GPSLatitude"], json!([52.0, 31.0, 7.0]), "{filemeta}");
    let path = format!("/api/archive/{}", encoded(text(&item, "_id")));
    let refused = |crops: Value, words: &'static str| {
        let (admin, path) = (admin.clone(), path.clone());
        async move {
            let etag = admin.get(&path).reply().await.expect(200).etag();
            let told = admin.patch(&path, &etag, &json!({"renditions": crops})).reply().await;
            issue(told, 400, "renditions", words);
        }
    };
    let crop = |left: u32, top: u32, right: u32, bottom: u32| json!({"CropLeft": left, "CropTop": top, "CropRight": right, "CropBottom": bottom});
    refused(json!({"nobody": crop(0, 0, 400, 300)}), "Unknown crop name! (name=nobody)").await;
    refused(json!({"off": crop(0, 0, 400, 300)}), "Unknown crop name! (name=off)").await;
    refused(json!({"4-3": {"CropLeft": "x"}}), "Invalid value for CropLeft in renditions").await;
    refused(json!({"4-3": crop(0, 0, 399, 300)}), "Wrong crop size. Minimum crop size is 400x300.").await;
    refused(json!({"wide": crop(0, 0, 300, 300)}), "Ratio 16:9 is not respected. We got 1.000000").await;
    let etag = admin.get(&path).reply().await.expect(200).etag();
    let point = json!({"poi": {"x": 0.9, "y": 0.9}, "renditions": {"4-3": crop(0, 0, 400, 300)}});
    let told = admin.patch(&path, &etag, &point).reply().await;
    issue(told, 400, "renditions", "Point of interest outside the crop 4-3 limits");
    let changes = json!({"poi": {"x": 0.2, "y": 0.1}, "renditions": {"4-3": crop(100, 100, 900, 700)}});
    let cropped = admin.patch(&path, &etag, &changes).reply().await.expect(200).json();
    let made = &cropped["renditions"]["4-3"];
    assert_eq!((size(made), &made["CropRight"]), ((400, 300), &json!(900)), "{made}");
    assert_eq!(made["poi"], json!({"x": 140, "y": 60}), "in the original, less the edge of the crop");
    assert_ne!(made["media"], renditions["4-3"]["media"]);
    assert_eq!(cropped["renditions"]["viewImage"]["poi"], json!({"x": 96, "y": 64}));
    assert_eq!(cropped["renditions"]["original"]["media"], renditions["original"]["media"]);
    let seen = image::load_from_memory(&bytes_of(&admin, made).await).expect("a picture");
    assert_eq!((seen.width(), seen.height()), (400, 300));
    // JSON makes items as before; what is no media makes none.
    let story = make(&admin, "archive", json!({"type": "text", "headline": "Words"})).await;
    let etag = text(&story, "_etag");
    let path = format!("/api/archive/{}", encoded(text(&story, "_id")));
    let told = admin.patch(&path, etag, &json!({"renditions": {"4-3": crop(0, 0, 400, 300)}})).reply().await;
    issue(told, 400, "renditions", "Only images can be cropped!");
    let told = form(&admin, "/api/archive", &[], Some(("a.txt", b"words"))).reply().await;
    issue(told, 415, "media", "no picture, video or audio");
    let long =
        admin.call("POST", "/api/archive").raw("application/json", vec![b' '; 1_100_000]).reply().await;
    long.expect(413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_edited_and_sized_by_links() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let item = picture(&admin, &[("headline", "A bench")], &jpeg(800, 600)).await;
    let edit = json!({"item_id": item["_id"], "edit": [["rotate", 90], ["grayscale"]]});
    let edited = admin.post("/api/media_editor", &edit).reply().await.expect(201).json();
    assert_eq!(size(&edited["renditions"]["original"]), (600, 800));
    let grey =
        image::load_from_memory(&bytes_of(&admin, &edited["renditions"]["viewImage"]).await).expect("it");
    let pixel = grey.to_rgb8().get_pixel(240, 320).0;
    assert!(pixel.iter().all(|value| value.abs_diff(pixel[0]) < 3), "{pixel:?}");
    let wrong = json!({"item": item, "edit": [["sharpen", 2]]});
    issue(admin.post("/api/media_editor", &wrong).reply().await, 400, "edit", "unknown edit 'sharpen'");
    let crop = json!({"CropLeft": 10, "CropTop": 20, "CropRight": 210, "CropBottom": 120, "width": 100, "height": 50});
    let cut = admin
        .post("/api/picture_crop", &json!({"item": item, "crop": crop}))
        .reply()
        .await
        .expect(201)
        .json();
    assert_eq!((size(&cut), text(&cut, "mimetype")), ((100, 50), "image/jpeg"));
    let bare = json!({"item": {"renditions": {}}, "crop": crop});
    issue(admin.post("/api/picture_crop", &bare).reply().await, 400, "item", "Missing renditions!");
    let bare = json!({"item": {"renditions": {"viewImage": {}}}, "crop": crop});
    issue(admin.post("/api/picture_crop", &bare).reply().await, 400, "item", "Missing original rendition!");
    let again = json!({"item": item, "no_custom_crops": true});
    let again = admin.post("/api/picture_renditions", &again).reply().await.expect(201).json();
    assert_eq!(again["renditions"]["viewImage"]["media"], item["renditions"]["viewImage"]["media"]);
    let media = text(&item, "media");
    let link = format!("/api/upload-raw/{media}/link?width=320&height=320");
    let link = admin.call("POST", &link).reply().await.expect(201).json();
    let (href, stranger) = (text(&link, "href").to_owned(), Client::stranger(&server));
    for _ in 0..2 {
        let seen = stranger.get(&href).unsigned().reply().await.expect(200);
        let seen = image::load_from_memory(&seen.body).expect("a picture");
        assert_eq!((seen.width(), seen.height()), (320, 240));
    }
    let other = href.replace("width=320", "width=321");
    assert_eq!(stranger.get(&other).unsigned().reply().await.status, 403);
    let large = format!("/api/upload-raw/{media}/link?width=32000&height=320");
    issue(admin.call("POST", &large).reply().await, 400, "width", "1 to 4000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_reach_subscribers_without_their_places() {
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (_server, admin) = newsroom(&receiver, files.path()).await;
    let product = make(&admin, "products", json!({"name": "all", "product_type": "both"})).await;
    let destination = json!({
        "name": "web", "format": "ninjs", "delivery_type": "http_push",
        "config": {"resource_url": receiver.url("/web"), "assets_url": receiver.url("/assets")},
    });
    let subscriber = make(
        &admin,
        "subscribers",
        json!({
            "name": "Web", "is_active": true, "products": [product["_id"]], "api_products": [product["_id"]],
            "destinations": [destination],
        }),
    )
    .await;
    let other = json!({"name": "Other", "is_active": true, "api_products": []});
    let other = json!({"destinations": [{"name": "x", "format": "ninjs", "delivery_type": "http_push",
        "config": {"resource_url": receiver.url("/other")}}], "name": other["name"], "is_active": true});
    let other = make(&admin, "subscribers", other).await;
    let fields = [("headline", "A bench"), ("slugline", "bench"), ("description_text", "In the park")];
    let item = picture(&admin, &fields, &photo(800, 600, 1)).await;
    let renditions = item["renditions"].as_object().expect("renditions").clone();
    let original = text(&renditions["original"], "media").to_owned();
    let has_place = |bytes: &[u8]| bytes.windows(4).any(|window| window == [0x88, 0x25, 0, 4]);
    assert!(
        has_place(&bytes_of(&admin, &renditions["original"]).await),
        "the newsroom has the file as it came"
    );
    for rendition in renditions.values() {
        receiver.answer(&format!("/assets/{}", text(rendition, "media")), 404);
    }
    act(&admin, "publish", &item, json!({})).await.expect(200);
    let pushed = receiver.wait("/web", 1).await;
    assert_eq!(pushed[0].json()["headline"], "A bench");
    // One form a file, before the item.
    let forms: Vec<_> = receiver.pushed().into_iter().filter(|pushed| pushed.path == "/assets").collect();
    assert_eq!(forms.len(), renditions.len(), "{:?}", renditions.keys());
    for rendition in renditions.values() {
        let id = text(rendition, "media").as_bytes();
        let form = forms.iter().find(|form| form.body.windows(id.len()).any(|window| window == id));
        let form = form.unwrap_or_else(|| panic!("{rendition} was not pushed"));
        assert!(!has_place(&form.body), "no place goes out");
    }
    // The content API shows the file to whoever has the item.
    let token = |subscriber: &Value| {
        let (admin, body) = (admin.clone(), json!({"subscriber": subscriber["_id"]}));
        async move {
            let token = admin.post("/api/subscriber_token", &body).reply().await.expect(201).json();
            admin.with_token(text(&token, "_id"))
        }
    };
    let (portal, stranger) = (token(&subscriber).await, token(&other).await);
    let shown = portal.read(&format!("/contentapi/items/{}", encoded(text(&item, "_id")))).await;
    let href = text(&shown["renditions"]["original"], "href").to_owned();
    assert_eq!(href, format!("/contentapi/assets/{original}.jpg"));
    assert!(shown["renditions"]["original"].get("media").is_none(), "{shown}");
    let asset = portal.get(&href).reply().await.expect(200);
    assert!(!has_place(&asset.body) && asset.header("content-type") == Some("image/jpeg"));
    assert!(asset.header("content-disposition").is_some_and(|told| told.starts_with("inline")));
    assert_eq!(
        portal.get(&href).header("range", "bytes=0-1").reply().await.expect(206).body[..],
        [0xFF, 0xD8]
    );
    let hidden = stranger.get(&href).reply().await.expect(404).json();
    assert_eq!(hidden["internal_error"], 10_003);
    portal.get("/contentapi/assets/nothing.jpg").reply().await.expect(404);
    assert_eq!(admin.get(&href).reply().await.status, 401, "a user is no subscriber");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_ad_names_becomes_media() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let blob = admin.call("POST", "/api/blobs?name=bike.jpg").raw("image/png", jpeg(900, 600)).reply().await;
    let blob = blob.expect(201).json();
    let id = text(&blob, "_id");
    let ad = json!({"title": "Bike", "location": {"type": "Point", "coordinates": [13.4, 52.5]}, "media": [id, "nobody"],
        "user": blob["user"]});
    let ad = make(&admin, "ads", ad).await;
    let path = format!("/api/upload/{id}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let made = loop {
        let reply = admin.get(&path).reply().await;
        if reply.status == 200 {
            break reply.json();
        }
        assert!(std::time::Instant::now() < deadline, "no upload: {}", reply.text());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!((text(&made, "mimetype"), size(&made["renditions"]["viewImage"])), ("image/jpeg", (640, 427)));
    let rows = holders(&admin, json!({"item_id": ad["_id"]})).await;
    assert_eq!(rows["_meta"]["total"], 4, "{rows}");
}
