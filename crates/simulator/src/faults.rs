//! Faults that tests and people inject: which requests they hit, and what happens to them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Another status instead of the response.
    Status {
        code: u16,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        #[serde(default)]
        body: Option<String>,
    },
    /// Another response in the service's place, as proxies, gateways and login pages send: any
    /// status, with a body of any type. For a web page, see [`web_page`](Self::web_page).
    Answer {
        #[serde(default = "ok")]
        status: u16,
        /// The content type that the response claims.
        content_type: String,
        body: String,
    },
    /// The connection is reset (RST) after some bytes of the body.
    Reset {
        /// Body bytes sent before.
        after_bytes: u64,
    },
    /// The connection is closed after some bytes of the body.
    Truncate {
        /// Body bytes sent before.
        after_bytes: u64,
        /// Announce the short length, so that HTTP considers the body complete.
        #[serde(default)]
        announce_short: bool,
    },
    /// The body is sent slowly.
    Slow {
        /// Maximum speed.
        bytes_per_second: u64,
    },
    /// No more bytes follow, and the connection stays open.
    Stall {
        /// Body bytes sent before.
        after_bytes: u64,
    },
    /// `Content-Length` is wrong: if too large, the connection breaks off; if too small, the body
    /// is short, yet complete for HTTP.
    WrongLength {
        /// Added to the correct length.
        by: i64,
    },
    /// One byte is changed.
    Corrupt {
        /// Offset of the byte.
        at: u64,
    },
    /// The download is a hostile archive.
    Hostile {
        /// Name of the archive; an unknown one returns an error that lists them.
        which: String,
    },
    /// The package is a sound archive, generated for the order as usual, but its first mesh is
    /// truncated.
    CutMesh {
        /// Bytes missing at its end.
        bytes: u32,
    },
    /// The response is delayed. Other matching faults apply as well.
    Delay {
        /// Delay in milliseconds.
        ms: u64,
    },
    /// All access tokens expire before the request is handled.
    ExpireTokens,
    /// The connection is closed without a response.
    Disconnect,
}

impl FaultKind {
    /// A web page with this status and title.
    pub fn web_page(status: u16, title: &str) -> Self {
        Self::Answer {
            status,
            content_type: "text/html; charset=utf-8".to_owned(),
            body: format!(
                "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n\
                 <body><h1>{title}</h1></body></html>\n"
            ),
        }
    }

    /// The status of the response, if the fault sets one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the fault affects how the body is sent, not what it is.
    pub(super) fn shapes_body(&self) -> bool {
        matches!(
            self,
            Self::Reset { .. }
                | Self::Truncate { .. }
                | Self::Slow { .. }
                | Self::Stall { .. }
                | Self::WrongLength { .. }
                | Self::Corrupt { .. }
                | Self::Hostile { .. }
                | Self::CutMesh { .. }
        )
    }
}

fn ok() -> u16 {
    200
}

/// A fault and the requests that it hits. Absent fields match everything but the admin endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The endpoint, by its discovery name, or `discovery`, `authorize`, `token`, `revoke`,
    /// `storage`. `token` includes `refreshToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The account whose token the request carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// `IDE`, `IMAGE_GALLERY` or `SCREEN_CAPTURES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// How many matching requests pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests to hit; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    pub kind: FaultKind,
}

impl FaultRule {
    /// A fault that hits every request to an endpoint.
    pub fn on(endpoint: &str, kind: FaultKind) -> Self {
        Self {
            endpoint: Some(endpoint.to_owned()),
            account: None,
            order: None,
            asset: None,
            skip: 0,
            times: None,
            kind,
        }
    }

    /// Limits the fault to this many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Limits the fault to one order.
    #[must_use]
    pub fn order(mut self, order: &str) -> Self {
        self.order = Some(order.to_owned());
        self
    }

    /// Limits the fault to one asset.
    #[must_use]
    pub fn asset(mut self, asset: &str) -> Self {
        self.asset = Some(asset.to_owned());
        self
    }

    /// Limits the fault to one account.
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|w| is.is_some_and(|is| is.eq_ignore_ascii_case(w)))
        };
        let endpoint = same(&self.endpoint, Some(target.endpoint))
            || (target.endpoint == "refreshToken" && same(&self.endpoint, Some("token")));
        endpoint
            && same(&self.account, target.account)
            && same(&self.order, target.order)
            && same(&self.asset, target.asset)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) endpoint: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) order: Option<&'a str>,
    pub(super) asset: Option<&'a str>,
}

/// What happens to one request.
#[derive(Debug, Default)]
pub(super) struct Hit {
    pub(super) delay_ms: u64,
    pub(super) expire_tokens: bool,
    pub(super) fault: Option<FaultKind>,
}

/// The injected faults, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<(u64, FaultRule, u64)>,
    next: u64,
}

/// An injected fault and how often it hit.
#[derive(Debug, Clone, Serialize)]
pub struct FaultState {
    pub id: u64,
    /// How many requests it hit.
    pub hits: u64,
    /// The rule, with its remaining counts.
    #[serde(flatten)]
    pub rule: FaultRule,
}

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) -> u64 {
        self.next += 1;
        self.rules.push((self.next, rule, 0));
        self.next
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn snapshot(&self) -> Vec<FaultState> {
        self.rules
            .iter()
            .map(|(id, rule, hits)| FaultState { id: *id, hits: *hits, rule: rule.clone() })
            .collect()
    }

    /// Counts the request against the rules and returns what happens to it: every matching delay,
    /// and the first other fault.
    pub(super) fn hit(&mut self, target: &Target<'_>) -> Hit {
        let mut hit = Hit::default();
        for (_, rule, hits) in &mut self.rules {
            if rule.times == Some(0) || !rule.matches(target) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            *hits += 1;
            match &rule.kind {
                FaultKind::Delay { ms } => hit.delay_ms += ms,
                FaultKind::ExpireTokens => {
                    hit.expire_tokens = true;
                    break;
                }
                other => {
                    hit.fault = Some(other.clone());
                    break;
                }
            }
        }
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(order: &'static str) -> Target<'static> {
        Target {
            endpoint: "downloadAsset",
            account: Some("4711"),
            order: Some(order),
            asset: Some("IDE"),
        }
    }

    #[test]
    fn a_rule_hits_as_often_as_it_says_and_then_the_next_one_does() {
        let mut faults = Faults::default();
        let reset = FaultKind::Reset { after_bytes: 10 };
        faults.add(FaultRule::on("downloadAsset", reset.clone()).order("1").times(2));
        faults.add(FaultRule::on("downloadAsset", FaultKind::Disconnect).times(1));
        assert_eq!(faults.hit(&target("1")).fault, Some(reset.clone()));
        assert_eq!(faults.hit(&target("2")).fault, Some(FaultKind::Disconnect));
        assert_eq!(faults.hit(&target("1")).fault, Some(reset));
        assert_eq!(faults.hit(&target("1")).fault, None);
    }

    #[test]
    fn delays_join_other_faults() {
        let mut faults = Faults::default();
        faults.add(FaultRule::on("downloadAsset", FaultKind::Delay { ms: 5 }));
        faults.add(FaultRule::on("downloadAsset", FaultKind::Disconnect));
        let hit = faults.hit(&target("1"));
        assert_eq!((hit.delay_ms, hit.fault), (5, Some(FaultKind::Disconnect)));
    }

    #[test]
    fn rules_are_read_from_json_and_unknown_keys_are_refused() {
        let rule: FaultRule = serde_json::from_value(serde_json::json!({
            "endpoint": "downloadAsset", "times": 1, "kind": {"status": {"code": 503, "retry_after": 2}}
        }))
        .expect("valid");
        assert!(matches!(rule.kind, FaultKind::Status { code: 503, .. }));
        let json = serde_json::json!({
            "kind": {"answer": {"content_type": "text/html", "body": "<html>"}}
        });
        let rule: FaultRule = serde_json::from_value(json).expect("valid");
        assert_eq!(rule.kind.status(), Some(200));
        let json = serde_json::json!({"endpoint": "x", "kind": "disconnect", "tims": 1});
        assert!(serde_json::from_value::<FaultRule>(json).is_err());
    }
}
