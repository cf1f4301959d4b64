//! What the user sees while the agent works: on a terminal, bars; elsewhere, plain lines.

use std::io::Write;
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::disk::RealDisk;
use crate::model::notice::Notice;
use crate::status::Progress;
use crate::web::gate::read_code;

use super::progress::Bars;
use super::streams::Streams;

/// Lines and bars on standard error.
pub(super) struct Console<'a> {
    bars: Option<Bars>,
    err: &'a mut (dyn Write + Send),
}

impl<'a> Console<'a> {
    /// Shows the work in `progress` until it is dropped.
    pub(super) fn new(streams: &'a mut Streams, progress: &Arc<Progress>) -> Self {
        let bars = streams.terminal.then(|| Bars::start(Arc::clone(progress)));
        Self { bars, err: &mut *streams.err }
    }

    /// Prints a notice, except for a poll that brought nothing.
    pub(super) fn tell(&mut self, notice: &Notice) {
        match notice {
            Notice::Polled { wanted: 0, .. } => {}
            // Between blank lines: it must be found among warnings.
            Notice::PageAt { url, .. } if self.bars.is_some() => {
                self.line(&format!("\nStatus page: {url}"));
                self.tell_code(notice);
                self.line("");
            }
            notice => {
                self.line(&notice.to_string());
                self.tell_code(notice);
            }
        }
    }

    /// Prints the set-up code only here, for the person who started the agent: it must not get into
    /// the log or event log.
    fn tell_code(&mut self, notice: &Notice) {
        if let Notice::PageAt { code: Some(file), .. } = notice
            && let Some(code) = read_code(&RealDisk, file)
        {
            let code = code.expose_secret();
            self.line(&format!(
                "set-up code: {code} (the page asks for it before it changes anything)"
            ));
        }
    }

    fn line(&mut self, text: &str) {
        // A message that cannot be shown is no reason to stop.
        let _ = match &self.bars {
            Some(bars) => bars.line(text),
            None => writeln!(self.err, "{text}"),
        };
    }
}
