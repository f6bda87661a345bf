//! Media before the item.

use super::form::Form;
use super::signature::{Keys, Signed};
use super::{HttpPush, lasting, outcome, post, unwritable};
use crate::digest::{Hasher, Sha, identity};
use crate::failure::{Code, Failure};
use crate::http::{Endpoint, Outgoing, full};
use crate::limits::MEDIA_MAX;
use crate::media::{MediaError, MediaProvider, MediaReader, Medium};
use crate::transmission::Transmission;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use std::io;
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncReadExt;

/// Bytes of a medium that are in memory at a time.
const CHUNK_BYTES: usize = 64 << 10;

impl HttpPush {
    /// Sends the media that the receiver does not have, and says how many those were.
    pub(super) async fn push_media(
        &self,
        transmission: &Transmission,
        provider: &dyn MediaProvider,
        assets: &Endpoint,
        keys: &Keys,
    ) -> Result<u32, Failure> {
        let media = provider.media(transmission).await.map_err(|error| unread(&error))?;
        if media.len() > MEDIA_MAX {
            return Err(lasting(format!("the item has more than {MEDIA_MAX} media")));
        }
        let mut sent = 0;
        for medium in &media {
            if !self.has(assets, medium).await? {
                self.push_medium(transmission, provider, assets, medium, keys).await?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    async fn has(&self, assets: &Endpoint, medium: &Medium) -> Result<bool, Failure> {
        let mut asset = assets.clone();
        // As one segment, whatever is in the id; these would be none.
        let id = match medium.id.as_str() {
            "" | "." | ".." => return Err(lasting("a medium has no usable id")),
            id => id,
        };
        let mut segments = asset.url.path_segments_mut().map_err(|()| lasting("assets_url has no path"))?;
        segments.pop_if_empty().push(id);
        drop(segments);
        let request = Request::get(asset.uri().map_err(lasting)?).body(full(Bytes::new()));
        let request = request.map_err(|_| unwritable())?;
        let reply = self.client.call(request).await.map_err(outcome::no_reply)?;
        match reply.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(outcome::refused(&reply, (self.clock)())),
        }
    }

    async fn push_medium(
        &self,
        transmission: &Transmission,
        provider: &dyn MediaProvider,
        assets: &Endpoint,
        medium: &Medium,
        keys: &Keys,
    ) -> Result<(), Failure> {
        let form = Form::of(medium);
        let id = identity(&[&transmission.id(), &medium.id]);
        let mut signer = keys.signer(&id, (self.clock)());
        // The signature stands before the body, so the medium is read twice rather than held in memory.
        signer.update(&form.before);
        let mut reader = provider.open(medium).await.map_err(|error| unread(&error))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = reader.read(&mut chunk).await.map_err(|error| unread(&error.into()))?;
            match chunk.get(..count) {
                None | Some([]) => break,
                Some(bytes) => signer.update(bytes),
            }
        }
        signer.update(&form.after);
        let signed = signer.finish();
        let reader = provider.open(medium).await.map_err(|error| unread(&error))?;
        let content_type = form.content_type.clone();
        let request = post(assets, &signed)?.header(CONTENT_TYPE, content_type);
        let request = request.body(body(form, reader, &signed)).map_err(|_| unwritable())?;
        let reply = self.client.call(request).await.map_err(outcome::no_reply)?;
        match reply.status {
            StatusCode::OK | StatusCode::CREATED => Ok(()),
            _ => Err(outcome::refused(&reply, (self.clock)())),
        }
    }
}

/// The form as it is sent.
fn body(form: Form, reader: MediaReader, signed: &Signed) -> Outgoing {
    let file = stream::try_unfold(reader, |mut reader| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let count = reader.read(&mut chunk).await?;
        chunk.truncate(count);
        Ok::<_, io::Error>((count > 0).then(|| (Bytes::from(chunk), reader)))
    });
    let whole = stream::iter([Ok(form.before)]).chain(file).chain(stream::iter([Ok(form.after)]));
    let whole = StreamBody::new(whole.map(|bytes| bytes.map(Frame::data))).boxed_unsync();
    Checked { body: whole, left: signed.bytes, hasher: Hasher::default(), sha: signed.sha }.boxed_unsync()
}

/// A body that is what was signed, or breaks off before its last bytes: a medium may change between the two passes.
struct Checked {
    body: Outgoing,
    left: u64,
    hasher: Hasher,
    sha: Sha,
}

impl Body for Checked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            None if self.left > 0 => return Poll::Ready(Some(Err(changed()))),
            end => return Poll::Ready(end),
        };
        let bytes = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
        self.hasher.update(bytes);
        match self.left.checked_sub(bytes.len() as u64) {
            Some(0) if take(&mut self.hasher).finish() != self.sha => Poll::Ready(Some(Err(changed()))),
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(changed()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn changed() -> io::Error {
    io::Error::other("the medium changed while it was sent")
}

fn unread(error: &MediaError) -> Failure {
    Failure::passing(Code::HttpPush, format!("a medium cannot be read: {error}"))
}
