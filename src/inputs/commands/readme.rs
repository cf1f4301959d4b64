//! The README that explains the folder.

use sha2::{Digest as _, Sha256};

use crate::model::digest::hex;

/// Precedes the checksum by which our own text is recognized.
const MARK: &str = "Text of Casedrop, unchanged: ";

const BODY: &str = "\
CASEDROP: THE COMMAND FOLDER

Put a small file here, and Casedrop does what it says. After a few seconds the
file moves to the folder done or failed, with a receipt beside it: open
<name>.receipt.txt there to read what happened. (<name>.receipt.json is the same
for programs.)


WITH THE NAME OF AN EMPTY FILE
(right click, New, Text Document; then give it one of these names)

  refetch 17544365.txt     fetch this order again; several numbers are allowed
  publish 17544365.txt     publish this order, which is held back, as it is
  pause.txt                begin nothing new until resume
  resume.txt               go on
  poll.txt                 ask Align for new orders as soon as it allows that
  verify.txt               check all published files; or: verify 17544365.txt
  status.txt               tell how things stand


WITH A TEXT IN THE FILE
(any name; what stands in the file counts more than its name)

  command: refetch
  lab: smile-lab
  orders: [17544365, 17544366]

  command: pair
  lab: smile-lab
  account: 4711

    If nobody is logged in, the receipt holds an address to open in the browser.
    After the login, either all is done, or a second file ends it:

  command: pair
  lab: smile-lab
  code: (the address that the browser shows at the end)

  command: return
  order: 17544365
  reason: the margin of tooth 14 is not visible
  confirm: 17544365

    sends an order back to the doctor for a rescan.

  command: unpair
  lab: smile-lab
  account: 4711
  confirm: 4711

    disconnects an account for ALL of its users, on all PCs.

return and unpair do nothing without confirm: then the receipt says what they
would do. The key lab is needed only where Casedrop works for several labs.


GOOD TO KNOW

- The same command twice does no harm.
- Names that end in .tmp or .part or begin with a dot are left alone.
- This text is renewed by Casedrop unless somebody changes it.
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
