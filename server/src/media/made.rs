//! What is made of a file: its kind, its metadata, its point of interest, its renditions.

use std::sync::Arc;

use dateline_engine::{Error, Manifest, Store, Transaction};
use dateline_media::{Crop, CropSpec, Encoded, Family, Fault, Kind, Limits, Metadata, Peak, Picture, Size};
use serde_json::{Map, Value, json};

use super::files::NewFile;
use super::settings::Specs;
use crate::app::App;
use crate::blobs::{Settled, Shelf, Source};
use crate::eve::problem::{Problem, Slug};
use crate::http::Refusal;
use crate::ids;
use crate::resources::rules::Effect;

/// A picture of more bytes is kept as it is: decoders want it whole in memory.
const PICTURE_BYTES_MAX: u64 = 128 << 20;
/// Bytes by which kinds are told.
const HEAD_BYTES: u64 = 8192;

/// What is wanted of a file.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) specs: Specs,
    pub(crate) crops: Vec<CropSpec>,
    /// The part of the picture that is taken for all of it.
    pub(crate) cut: Option<Crop>,
    pub(crate) edits: Vec<dateline_media::Edit>,
    /// A point that somebody chose.
    pub(crate) point: Option<(f64, f64)>,
    /// Name of the file, as it was brought.
    pub(crate) name: String,
}

impl Wish {
    /// The renditions of these specifications, of the whole file as it is.
    pub(crate) fn new(specs: &Specs, name: &str) -> Self {
        let (specs, name) = (specs.clone(), name.to_owned());
        Self { specs, crops: Vec::new(), cut: None, edits: Vec::new(), point: None, name }
    }
}

/// A file with all that is made of it, on its way into the store.
pub(crate) struct Made {
    pub(crate) media_type: String,
    pub(crate) family: Family,
    pub(crate) length: u64,
    /// Id of the file itself.
    pub(crate) original: String,
    pub(crate) renditions: Map<String, Value>,
    /// `{"x", "y"}`, of pictures that can be decoded.
    pub(crate) point: Option<Value>,
    /// EXIF, IPTC and XMP of a picture, or what a film or sound says.
    pub(crate) metadata: Value,
    /// All of it in one object, as clients of the newsroom know it.
    pub(crate) filemeta: Map<String, Value>,
    files: Vec<NewFile>,
}

/// Address of a file.
pub(crate) fn href(prefix: &str, id: &str, extension: &str) -> String {
    format!("{prefix}/{id}.{extension}")
}

/// Makes it of bytes that have just come, and stores the bytes of all that is made of them.
///
/// # Errors
/// 400 for a picture that is damaged or too large.
pub(crate) async fn of_settled(app: &App, settled: &Settled, wish: Wish) -> Result<Made, Problem> {
    of_stored(app, settled.manifest.clone(), ids::hex(&settled.digest), wish).await
}

/// The same of bytes that are stored; `digest` is the SHA-256 of them in hexadecimal digits.
///
/// # Errors
/// As [`of_settled`].
pub(crate) async fn of_stored(
    app: &App,
    manifest: Manifest,
    digest: String,
    wish: Wish,
) -> Result<Made, Problem> {
    let mut made = in_turn(app, move |app| Work::new(app, manifest, digest, wish)?.done()).await?;
    for file in &mut made.files {
        file.stage(app).await?;
    }
    Ok(made)
}

/// Runs what needs a picture in memory: a few at a time, on a thread that may wait.
///
/// # Errors
/// What `work` returns.
pub(crate) async fn in_turn<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let permit = Arc::clone(&app.media().permits).acquire_owned().await;
    let permit = permit.map_err(|_| Error::unavailable("the server is closing"))?;
    let used = app.clone();
    let done = app.scan(move |_| {
        let done = work(&used);
        drop(permit);
        done
    });
    done.await.map_err(Refusal::into_problem)
}

impl Made {
    /// Ids of all files, the original first.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.files.iter().map(|file| file.id().to_owned()).collect()
    }

    /// Adds every file to the commit of the document that holds them.
    pub(crate) fn add_to(self, shelf: Shelf, transaction: Transaction) -> Transaction {
        self.files.into_iter().fold(transaction, |transaction, file| file.add_to(shelf, transaction))
    }

    pub(crate) fn effect(self, shelf: Shelf) -> Effect {
        Effect::Also(Box::new(move |transaction| self.add_to(shelf, transaction)))
    }
}

/// One file in the making.
struct Work<'a> {
    app: &'a App,
    manifest: Manifest,
    digest: String,
    kind: Kind,
    wish: Wish,
}

impl<'a> Work<'a> {
    fn new(app: &'a App, manifest: Manifest, digest: String, wish: Wish) -> Result<Self, Problem> {
        let kind = Kind::of(&head(app.store(), &manifest)?);
        Ok(Self { app, manifest, digest, kind, wish })
    }

    /// The file as it came.
    fn original(&self, about: Map<String, Value>) -> Result<NewFile, Problem> {
        Ok(NewFile::of_manifest(&self.digest, self.manifest.clone(), about)?)
    }

    fn limits(&self) -> Limits {
        self.app.media().limits
    }

    fn done(self) -> Result<Made, Problem> {
        if self.kind.family != Family::Picture || self.manifest.length() > PICTURE_BYTES_MAX {
            return self.unchanged();
        }
        let bytes = Source::all(self.app.store(), &self.manifest)?;
        match Picture::decode(&bytes, &self.limits()) {
            Ok(picture) => self.picture(&bytes, picture),
            // Pictures of formats that are not decoded here are kept like any other file.
            Err(Fault::Unknown) => self.unchanged(),
            Err(fault) => Err(refused(&fault)),
        }
    }

    /// A film, a sound, or anything else: it is its only rendition.
    fn unchanged(self) -> Result<Made, Problem> {
        if self.wish.cut.is_some() || !self.wish.edits.is_empty() {
            return Err(bad("media", "Only images can be cropped!"));
        }
        let source = Source::new(self.app.store(), self.manifest.clone());
        let found = dateline_media::track(source, self.kind.family);
        let mut about = self.about();
        for name in ["width", "height", "duration_s"] {
            if let Some(value) = found.get(name) {
                about.insert(name.to_owned(), value.clone());
            }
        }
        let file = self.original(about)?;
        let size =
            |name: &str| found.get(name).and_then(Value::as_u64).and_then(|edge| u32::try_from(edge).ok());
        let size = size("width").zip(size("height")).map(|(width, height)| Size { width, height });
        let mut renditions = Map::new();
        renditions.insert("original".to_owned(), self.rendition(&file, self.kind, size, None, None));
        let mut filemeta = found.clone();
        filemeta.insert("length".to_owned(), self.manifest.length().into());
        Ok(Made {
            media_type: self.kind.media_type.to_owned(),
            family: self.kind.family,
            length: self.manifest.length(),
            original: file.id().to_owned(),
            renditions,
            point: None,
            metadata: Value::Object(found),
            filemeta,
            files: vec![file],
        })
    }

    fn picture(self, bytes: &[u8], picture: Picture) -> Result<Made, Problem> {
        let is_changed = self.wish.cut.is_some() || !self.wish.edits.is_empty();
        let picture = self.changed(picture)?;
        let (kind, length, file, public) = if is_changed {
            let encoded = picture.encode().map_err(|fault| refused(&fault))?;
            let kind = Kind::of(&encoded.bytes);
            let length = encoded.bytes.len() as u64;
            (kind, length, NewFile::of(encoded.bytes, self.about_of(kind, picture.size()))?, None)
        } else {
            let public = dateline_media::without_places(bytes);
            let public = public.map(|bytes| NewFile::of(bytes, self.about_of(self.kind, picture.size())));
            let file = self.original(self.about_of(self.kind, picture.size()))?;
            (self.kind, self.manifest.length(), file, public.transpose()?)
        };
        let metadata = Metadata::of(bytes, &self.limits());
        let point = self.point(&picture);
        let mut made = Made {
            media_type: kind.media_type.to_owned(),
            family: Family::Picture,
            length,
            original: file.id().to_owned(),
            renditions: Map::new(),
            point: Some(json!({"x": point.x, "y": point.y})),
            metadata: json!({"exif": metadata.exif, "iptc": metadata.iptc, "xmp": metadata.xmp}),
            filemeta: metadata.exif,
            files: Vec::new(),
        };
        made.filemeta.insert("length".to_owned(), length.into());
        let whole =
            self.rendition(&file, kind, Some(picture.size()), Some(pixel(picture.size(), point)), None);
        made.renditions.insert("original".to_owned(), whole);
        made.files.push(file);
        if let Some(public) = public {
            let id = public.id().to_owned();
            made.files.iter_mut().for_each(|file| file.note("public", id.as_str().into()));
            made.files.push(public);
        }
        self.sizes(&picture, point, &mut made)?;
        Ok(made)
    }

    /// `baseImage` of the picture, the others of `baseImage`, as long as it is the larger one; crops of the picture.
    fn sizes(&self, picture: &Picture, point: Peak, made: &mut Made) -> Result<(), Problem> {
        let mut base: Option<Picture> = None;
        for (name, within) in &self.wish.specs {
            let enough = |base: &&Picture| {
                let own = base.size();
                own == picture.size() || (within.width <= own.width && within.height <= own.height)
            };
            let sized = base.as_ref().filter(enough).unwrap_or(picture).fit(*within);
            self.add(name, &sized, pixel(sized.size(), point), None, made)?;
            if name == "baseImage" {
                base = Some(sized);
            }
        }
        for spec in &self.wish.crops {
            let Some(size) = spec.size() else { continue };
            if let Some((cut, crop)) = picture.centre_crop(size) {
                self.add(&spec.name, &cut, pixel_in(picture.size(), point, crop), Some(crop), made)?;
            }
        }
        Ok(())
    }

    fn add(
        &self,
        name: &str,
        picture: &Picture,
        point: Pixel,
        crop: Option<Crop>,
        made: &mut Made,
    ) -> Result<(), Problem> {
        let Encoded { bytes, size, .. } = picture.encode().map_err(|fault| refused(&fault))?;
        let kind = Kind::of(&bytes);
        let file = NewFile::of(bytes, self.about_of(kind, size))?;
        made.renditions.insert(name.to_owned(), self.rendition(&file, kind, Some(size), Some(point), crop));
        made.files.push(file);
        Ok(())
    }

    fn changed(&self, picture: Picture) -> Result<Picture, Problem> {
        let picture = match self.wish.cut {
            Some(cut) => {
                picture.crop(cut).ok_or_else(|| bad("CropLeft", "the crop is outside of the picture"))?
            }
            None => picture,
        };
        let edited = picture.edited(&self.wish.edits, &self.limits());
        edited.map_err(|fault| bad("edit", &fault.to_string()))
    }

    fn point(&self, picture: &Picture) -> Peak {
        match self.wish.point {
            Some((x, y)) => Peak { x, y, score: 1.0 },
            None => {
                let found = dateline_media::peaks(picture).into_iter().next();
                let Peak { x, y, score } = found.unwrap_or(Peak { x: 0.5, y: 0.5, score: 0.0 });
                // As many digits as pixels can tell apart.
                Peak { x: (x * 10_000.0).round() / 10_000.0, y: (y * 10_000.0).round() / 10_000.0, score }
            }
        }
    }

    fn about(&self) -> Map<String, Value> {
        let mut about = Map::new();
        about.insert("media_type".to_owned(), self.kind.media_type.into());
        about.insert("extension".to_owned(), self.kind.extension.into());
        if !self.wish.name.is_empty() {
            about.insert("name".to_owned(), self.wish.name.as_str().into());
        }
        about
    }

    fn about_of(&self, kind: Kind, size: Size) -> Map<String, Value> {
        let mut about = self.about();
        about.insert("media_type".to_owned(), kind.media_type.into());
        about.insert("extension".to_owned(), kind.extension.into());
        about.insert("width".to_owned(), size.width.into());
        about.insert("height".to_owned(), size.height.into());
        about
    }

    fn rendition(
        &self,
        file: &NewFile,
        kind: Kind,
        size: Option<Size>,
        point: Option<Pixel>,
        crop: Option<Crop>,
    ) -> Value {
        rendition(&self.app.media().settings.prefix, file.id(), kind, size, point, crop)
    }
}

/// A rendition, as items hold it. Its point is in its own pixels.
pub(crate) fn rendition(
    prefix: &str,
    id: &str,
    kind: Kind,
    size: Option<Size>,
    point: Option<Pixel>,
    crop: Option<Crop>,
) -> Value {
    let mut own = json!({
        "href": href(prefix, id, kind.extension), "media": id, "mimetype": kind.media_type,
    });
    if let Some(Size { width, height }) = size {
        own["width"] = width.into();
        own["height"] = height.into();
    }
    if let Some((x, y)) = point {
        own["poi"] = json!({"x": x, "y": y});
    }
    if let Some(Crop { left, top, right, bottom }) = crop {
        own["CropLeft"] = left.into();
        own["CropTop"] = top.into();
        own["CropRight"] = right.into();
        own["CropBottom"] = bottom.into();
    }
    own
}

/// A point in pixels of a rendition.
pub(crate) type Pixel = (i64, i64);

/// Where a point of the picture is in one of this size.
pub(crate) fn pixel(size: Size, point: Peak) -> Pixel {
    let at = |edge: u32, part: f64| (f64::from(edge) * part) as i64;
    (at(size.width, point.x), at(size.height, point.y))
}

/// Where it is in a part of the picture, in pixels of the original, whatever size the rendition has: clients expect it so.
pub(crate) fn pixel_in(own: Size, point: Peak, crop: Crop) -> Pixel {
    let (x, y) = pixel(own, point);
    (x - i64::from(crop.left), y - i64::from(crop.top))
}

fn head(store: &Store, manifest: &Manifest) -> Result<Vec<u8>, Problem> {
    let mut head = Vec::new();
    let source = Source::new(store, manifest.clone());
    std::io::Read::read_to_end(&mut std::io::Read::take(source, HEAD_BYTES), &mut head)
        .map_err(|error| Problem::from(Error::corrupt(error.to_string())))?;
    Ok(head)
}

/// 400 that names the field.
pub(crate) fn bad(field: &str, message: &str) -> Problem {
    Problem::new(Slug::ValidationFailed, message).issue(field, message)
}

pub(crate) fn refused(fault: &Fault) -> Problem {
    bad("media", &fault.to_string())
}
