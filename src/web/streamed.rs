//! Response bodies that are written on a thread that may block, piece by piece, as fast as the
//! browser reads.

use std::io::{self, BufWriter, Write};

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::sync::mpsc;

/// Size of a piece, in bytes.
const PIECE: usize = 64 << 10;
/// How many pieces to buffer for a slow browser.
const PIECES: usize = 4;

/// A body with whatever `write` writes. If it fails, so does the response: the browser must not
/// take the beginning of a file for the whole.
pub(super) fn streamed(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Body {
    let (pieces, sent) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE, Pieces(pieces.clone()));
        if let Err(error) = write(&mut out).and_then(|()| out.flush()) {
            // If the browser has gone, nobody needs to know.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    Body::from_stream(stream::unfold(sent, |mut sent| async move {
        let piece: io::Result<Bytes> = sent.recv().await?;
        Some((piece, sent))
    }))
}

struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        // The browser has gone.
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn all_of_it_arrives_and_a_failure_is_none_of_the_content() {
        let long = vec![7; 3 * PIECE + 1];
        let written = long.clone();
        let body = streamed(move |out| out.write_all(&written));
        assert_eq!(to_bytes(body, usize::MAX).await.expect("a body"), long);
        let broken = streamed(|out| {
            out.write_all(b"beginning")?;
            Err(io::ErrorKind::UnexpectedEof.into())
        });
        assert!(to_bytes(broken, usize::MAX).await.is_err());
    }
}
