//! The README that explains the folder.

use sha2::{Digest as _, Sha256};

use crate::model::digest::hex;

/// Precedes the checksum by which our own text is recognized.
const MARK: &str = "Text of Casedrop, unchanged: ";

const BODY: &str = "\
CASEDROP: THE COMMAND FOLDER

Drop a small file here, and Casedrop does what it says. After a few seconds the
file moves to the folder done or failed, with a receipt next to it: open
<name>.receipt.txt there to read what happened. (<name>.receipt.json is the same
for programs.)


BY FILE NAME: AN EMPTY FILE
(right-click, New, Text Document; then give it one of these names)

  refetch 17544365.txt     fetch this order again; several numbers are allowed
  publish 17544365.txt     publish this held-back order as it is
  pause.txt                start nothing new until resume
  resume.txt               continue after pause
  poll.txt                 ask Align for new orders as soon as it allows that
  verify.txt               check all published files; or: verify 17544365.txt
  status.txt               show the status


BY CONTENT: A FILE WITH TEXT
(any name; the content takes precedence over the name)

  command: refetch
  lab: smile-lab
  orders: [17544365, 17544366]

  command: pair
  lab: smile-lab
  account: 4711

    If nobody is logged in, the receipt contains a link to open in the browser.
    After the login you are done, unless the receipt asks for a second file:

  command: pair
  lab: smile-lab
  code: (the address that the browser shows after the login)

  command: return
  order: 17544365
  reason: the margin of tooth 14 is not visible
  confirm: 17544365

    sends an order back to the doctor for a rescan.

  command: unpair
  lab: smile-lab
  account: 4711
  confirm: 4711

    disconnects an account for ALL its users, on all PCs.

return and unpair do nothing without confirm; the receipt then says what they
would do. The key lab is needed only if Casedrop works for several labs.


GOOD TO KNOW

- Giving the same command twice does no harm.
- Files whose names end in .tmp or .part or begin with a dot are ignored.
- Casedrop keeps this text up to date unless somebody changes it.
";

pub(super) fn text() -> String {
    let body = BODY.replace('\n', "\r\n");
    format!("{body}\r\n{MARK}{}\r\n", mark(&body))
}

/// Whether a text is one of ours, of any version, and unchanged.
pub(super) fn is_ours(text: &str) -> bool {
    let Some((before, mark_found)) = text.rsplit_once(MARK) else { return false };
    let Some(body) = before.strip_suffix("\r\n") else { return false };
    mark_found.strip_suffix("\r\n") == Some(mark(body).as_str())
}

fn mark(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_texts_are_known_and_changed_ones_are_not() {
        let text = text();
        assert!(is_ours(&text));
        let older = "OLD\r\n";
        assert!(is_ours(&format!("{older}\r\n{MARK}{}\r\n", mark(older))), "an older one");
        assert!(!is_ours(&text.replace("smile-lab", "our-lab")));
        assert!(!is_ours(&format!("{text}Ask Anna.\r\n")));
        assert!(!is_ours("something else"));
        assert!(!is_ours(""));
    }

    #[test]
    fn the_text_fits_a_small_window() {
        assert!(text().is_ascii() && text().lines().all(|line| line.len() <= 80));
    }
}
