//! Notices to other programs and to people, as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalars::{DurationText, PathText, UrlText};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// TLS, started by a command on a plain connection; no mail is sent without it.
    #[default]
    Starttls,
    /// TLS from the start.
    Tls,
    /// No protection.
    None,
}

/// When to send a digest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailOnly {
    /// Only if something needs attention.
    Problems,
    /// Also if orders were published.
    #[default]
    All,
}

/// Notify other programs and people of what happened.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Notices")]
pub(super) struct RawNotices {
    /// A program to run for each published order. Default: none.
    pub(super) hook: Option<RawHook>,
    /// A web server that receives signed messages. Default: none.
    pub(super) webhook: Option<RawWebhook>,
    /// People who receive a digest by mail. Default: nobody.
    pub(super) mail: Option<RawMail>,
}

/// A program to run for each published order.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NoticesHook")]
pub(super) struct RawHook {
    /// The program's absolute path and its arguments; runs without a shell. Required within this
    /// section.
    #[schemars(required, length(min = 1))]
    pub(super) run: Option<Vec<String>>,
    /// The program is terminated after this long and counts as failed; a duration.
    #[serde(default = "one_minute")]
    pub(super) timeout: DurationText,
}

/// A web server that receives signed messages.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NoticesWebhook")]
pub(super) struct RawWebhook {
    /// URL that messages are posted to; https, unless it is on this PC. Required within this
    /// section.
    #[schemars(required)]
    pub(super) url: Option<UrlText>,
    /// A file that holds the signing secret and nothing else: `whsec_` and base64. Required within
    /// this section.
    #[schemars(required)]
    pub(super) secret_file: Option<PathText>,
    /// How long an event waits for others to be sent along with it; a duration.
    #[serde(default = "ten_seconds")]
    pub(super) batch: DurationText,
}

/// People who receive a digest by mail.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NoticesMail")]
pub(super) struct RawMail {
    /// Name of the mail server. Required within this section.
    #[schemars(required, length(min = 1, max = 253))]
    pub(super) server: Option<String>,
    /// Port of the mail server. Default: 587, with `security: tls` 465, with `security: none` 25.
    #[schemars(range(min = 1, max = 65535))]
    pub(super) port: Option<u16>,
    /// How the connection to the server is protected.
    #[serde(default)]
    pub(super) security: MailSecurity,
    /// User name on the mail server. Default: no login.
    #[schemars(length(min = 1))]
    pub(super) user: Option<String>,
    /// A file that holds the user's password and nothing else. Default: none.
    pub(super) password_file: Option<PathText>,
    /// Sender's address. Required within this section.
    #[schemars(required, length(min = 1))]
    pub(super) from: Option<String>,
    /// Recipients' addresses. Required within this section.
    #[schemars(required, length(min = 1))]
    pub(super) to: Option<Vec<String>>,
    /// Time between two digests; a duration. Urgent news is sent earlier.
    #[serde(default = "one_day")]
    pub(super) every: DurationText,
    /// Whether to send a digest for problems only, or also for everything that was published.
    #[serde(default)]
    pub(super) only: MailOnly,
}

fn one_minute() -> DurationText {
    DurationText::secs(60)
}

fn ten_seconds() -> DurationText {
    DurationText::secs(10)
}

fn one_day() -> DurationText {
    DurationText::secs(86_400)
}
