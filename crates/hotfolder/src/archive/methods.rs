//! Compression methods: every one in use that a well-maintained crate can read.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use deflate64::Deflate64Decoder;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::bytes::u32_at;
use super::fault;
use casedrop_model::fault::Fault;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const DEFLATE64: u16 = 9;
const BZIP2: u16 = 12;
const LZMA: u16 = 14;
const ZSTD_OLD: u16 = 20;
const ZSTD: u16 = 93;
const XZ: u16 = 95;

/// The largest window a member may ask for, in bytes. Most ask for 8 to 32 MiB.
const WINDOW_MAX: u64 = 32 << 20;
/// Set if the LZMA data has an end mark.
const FLAG_LZMA_END: u16 = 1 << 1;

/// Whether members packed with this method can be read.
pub(crate) fn is_supported(method: u16) -> bool {
    matches!(method, STORED | DEFLATED | DEFLATE64 | BZIP2 | LZMA | ZSTD_OLD | ZSTD | XZ)
}

/// Whether the decoder reads the packed data exactly to its last byte, so that leftover bytes are a
/// fault.
pub(super) fn is_exact(method: u16) -> bool {
    matches!(method, STORED | DEFLATED | BZIP2)
}

/// Whether unpacking needs a window of more than a few hundred kilobytes.
pub(super) fn is_wide(method: u16) -> bool {
    matches!(method, LZMA | ZSTD_OLD | ZSTD | XZ)
}

/// Returns a reader of the unpacked bytes.
pub(super) fn decoder<'a, R: BufRead + 'a>(
    method: u16,
    flags: u16,
    size: u64,
    mut packed: R,
    place: &str,
) -> Result<Box<dyn Read + 'a>, Fault> {
    Ok(match method {
        STORED => Box::new(packed),
        DEFLATED => Box::new(DeflateDecoder::new(packed)),
        DEFLATE64 => Box::new(Deflate64Decoder::with_buffer(packed)),
        BZIP2 => Box::new(BzDecoder::new(packed)),
        LZMA => {
            let mut head = [0; 9];
            packed.read_exact(&mut head).map_err(|error| fault::from_io(place, error))?;
            let wanted = u64::from(u32_at(&head, 5));
            // Nothing needs a window larger than the whole file.
            let window = wanted.min(size.max(4096));
            let window = u32::try_from(window).ok().filter(|_| window <= WINDOW_MAX);
            let window = window.ok_or_else(|| too_wide(place))?;
            let size = if flags & FLAG_LZMA_END != 0 { u64::MAX } else { size };
            let reader = LzmaReader::new_with_props(packed, size, head[4], window, None);
            Box::new(reader.map_err(|error| fault::from_io(place, error))?)
        }
        ZSTD | ZSTD_OLD => Box::new(Zstd::new(packed, place)?),
        XZ => {
            // The data states the window size, and little else is needed.
            let kib = u32::try_from((WINDOW_MAX + (8 << 20)) >> 10).unwrap_or(u32::MAX);
            Box::new(XzReader::new_mem_limit(packed, true, kib))
        }
        _ => return Err(unsupported(place)),
    })
}

pub(crate) fn unsupported(place: &str) -> Fault {
    fault::unsupported(place, "it is packed with a method that the agent does not support")
}

fn too_wide(place: &str) -> Fault {
    fault::unsupported(place, "unpacking it takes more memory than the agent may use")
}

/// Reads zstd frames one after another: the crate reads only one.
struct Zstd<R: BufRead> {
    now: Option<StreamingDecoder<R, FrameDecoder>>,
}

impl<R: BufRead> Zstd<R> {
    fn new(packed: R, place: &str) -> Result<Self, Fault> {
        match StreamingDecoder::new_with_max_window_size(packed, WINDOW_MAX) {
            Ok(decoder) => Ok(Self { now: Some(decoder) }),
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => Err(too_wide(place)),
            Err(_) => Err(fault::corrupt(place, "its packed data is broken")),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.now {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(ended) = self.now.take() else { break };
            let (mut packed, decoder) = ended.into_parts();
            if !packed.fill_buf()?.is_empty() {
                let next = StreamingDecoder::new_with_decoder(packed, decoder);
                let next = next.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                self.now = Some(next);
            }
        }
        Ok(0)
    }
}
