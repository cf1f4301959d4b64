//! The types of single values in the written config: each parses its text, writes its default and
//! describes itself to the schema. The schema's `format` names the check, so that the one walker
//! over the file finds every bad value and its place.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::Value;
use serde_with::{DeserializeAs, SerializeAs};
use url::Url;

use super::network::Network;
use super::proxy_choice::ProxyChoice;
use super::updates::{UpdateSource, Window};
use super::values::{self, Bad};
use crate::model::working_hours::WorkingHours;
use crate::password::PasswordHash;

/// Checks a text by the `format` of its schema; unknown formats always pass.
pub(super) fn check_format(format: &str, text: &str) -> Result<(), Bad> {
    match format {
        "casedrop-duration" => values::duration(text).map(drop),
        "casedrop-size" => values::size(text).map(drop),
        "casedrop-address" => values::address(text).map(drop),
        "casedrop-domain" => values::host_suffix(text).map(drop),
        "casedrop-endpoint-path" => values::endpoint_path(text),
        "casedrop-host-name" => values::host_name(text).map(drop),
        "casedrop-log-level" => values::log_level(text),
        "casedrop-network" => values::network(text).map(drop),
        "casedrop-password-hash" => values::password_hash(text).map(drop),
        "casedrop-path" => super::paths::check_text(text),
        "casedrop-proxy" => ProxyChoice::read(text).map(drop),
        "casedrop-update-source" => values::update_source(text).map(drop),
        "casedrop-url" => values::url(text).map(drop),
        "casedrop-wait" => values::wait(text).map(drop),
        "casedrop-window" => values::window(text).map(drop),
        "casedrop-working-hours" => values::working_hours(text).map(drop),
        _ => Ok(()),
    }
}

/// How messages describe a value with that `format`.
pub(super) fn describe_format(format: &str) -> Option<&'static str> {
    Some(match format {
        "casedrop-duration" => "a duration such as `120s` or `15m`",
        "casedrop-size" => "a size such as `5GB` or `500MB`",
        "casedrop-address" => "an address with a port, such as `127.0.0.1:8780`",
        "casedrop-domain" => "a domain such as `iterocloud.com`",
        "casedrop-endpoint-path" => "a path on the server, starting with `/`",
        "casedrop-host-name" => "the name of a host, such as `casedrop.lab.example`",
        "casedrop-log-level" => "a log level such as `info`",
        "casedrop-network" => "an IP address or network, such as `192.168.1.0/24`",
        "casedrop-password-hash" => "a hash printed by `casedrop hash-password`",
        "casedrop-path" => "a path",
        "casedrop-proxy" => "`system`, `none`, or a proxy such as `http://proxy.example:3128`",
        "casedrop-update-source" => "the address of a folder, or `github:owner/name`",
        "casedrop-url" => "a URL",
        "casedrop-wait" => "a duration of up to an hour such as `30s`, or `0s`",
        "casedrop-window" => "a time window such as `02:00-05:00`",
        "casedrop-working-hours" => "working hours such as `Mon-Fri 08:00-18:00`",
        _ => return None,
    })
}

/// Declares a value that is written as a string in a certain format.
macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:expr, $read:expr, $write:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                let read: fn(&str) -> Result<$inner, Bad> = $read;
                read(&text).map(Self).map_err(|bad| de::Error::custom(bad.reason))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                Self::serialize_as(&self.0, to)
            }
        }

        impl SerializeAs<$inner> for $name {
            fn serialize_as<S: Serializer>(value: &$inner, to: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$inner) -> String = $write;
                to.serialize_str(&write(value))
            }
        }

        impl<'de> DeserializeAs<'de, $inner> for $name {
            fn deserialize_as<D: Deserializer<'de>>(from: D) -> Result<$inner, D::Error> {
                Self::deserialize(from).map(|value| value.0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text_value!(
    /// Such as `120s`.
    DurationText(Duration),
    json_schema!({
        "type": "string",
        "format": "casedrop-duration",
        "pattern": "^[0-9]+(ms|s|m|h|d)$",
        "examples": ["120s", "15m", "2h", "30d"]
    }),
    values::duration,
    |value| values::write_duration(*value)
);
text_value!(
    /// Such as `30s`, or `0s`.
    WaitText(Duration),
    json_schema!({
        "type": "string",
        "format": "casedrop-wait",
        "pattern": "^[0-9]+(ms|s|m|h|d)$",
        "examples": ["30s", "2m", "0s"]
    }),
    values::wait,
    |value| values::write_duration(*value)
);
text_value!(
    /// Such as `5GB`.
    SizeText(u64),
    json_schema!({
        "type": "string",
        "format": "casedrop-size",
        "pattern": "^(0|[0-9]+([KkMmGgTt][Ii]?)?[Bb])$",
        "examples": ["5GB", "500MB", "64KiB"]
    }),
    values::size,
    |value| values::write_size(*value)
);
text_value!(
    /// Such as `127.0.0.1:8780`.
    Address(SocketAddr),
    json_schema!({
        "type": "string",
        "format": "casedrop-address",
        "examples": ["127.0.0.1:8780"]
    }),
    values::address,
    ToString::to_string
);
text_value!(
    /// A URL that tokens may go to.
    UrlText(Url),
    json_schema!({ "type": "string", "format": "casedrop-url", "pattern": "^https?://" }),
    values::url,
    ToString::to_string
);
text_value!(
    HostSuffix(String),
    json_schema!({ "type": "string", "format": "casedrop-domain" }),
    values::host_suffix,
    Clone::clone
);
text_value!(
    /// A name of this PC.
    HostName(String),
    json_schema!({
        "type": "string",
        "format": "casedrop-host-name",
        "examples": ["casedrop.lab.example"]
    }),
    values::host_name,
    Clone::clone
);
text_value!(
    /// A path on Align's servers.
    EndpointPath(String),
    json_schema!({ "type": "string", "format": "casedrop-endpoint-path", "pattern": "^/" }),
    |text| values::endpoint_path(text).map(|()| text.to_owned()),
    Clone::clone
);
text_value!(
    /// A level or filter for tracing.
    LogLevel(String),
    json_schema!({ "type": "string", "format": "casedrop-log-level" }),
    |text| values::log_level(text).map(|()| text.to_owned()),
    Clone::clone
);
text_value!(
    /// An IP address or a network.
    NetworkText(Network),
    json_schema!({
        "type": "string",
        "format": "casedrop-network",
        "examples": ["10.0.0.5", "192.168.1.0/24"]
    }),
    values::network,
    ToString::to_string
);
text_value!(
    /// A part of the day.
    WindowText(Window),
    json_schema!({
        "type": "string",
        "format": "casedrop-window",
        "examples": ["02:00-05:00"]
    }),
    values::window,
    ToString::to_string
);
text_value!(
    WorkingHoursText(WorkingHours),
    json_schema!({
        "type": "string",
        "format": "casedrop-working-hours",
        "examples": ["Mon-Fri 08:00-18:00", "Mon-Thu 07:30-16:30, Fri 07:30-12:00"]
    }),
    values::working_hours,
    ToString::to_string
);
text_value!(
    UpdateSourceText(UpdateSource),
    json_schema!({
        "type": "string",
        "format": "casedrop-update-source",
        "examples": ["https://it.example.com/casedrop/", "github:owner/name"]
    }),
    values::update_source,
    ToString::to_string
);
text_value!(
    ProxyText(ProxyChoice),
    json_schema!({
        "type": "string",
        "format": "casedrop-proxy",
        "examples": ["system", "none", "http://proxy.example:3128"]
    }),
    ProxyChoice::read,
    ProxyChoice::write
);
text_value!(
    PathText(PathBuf),
    json_schema!({ "type": "string", "format": "casedrop-path", "minLength": 1 }),
    |text| super::paths::check_text(text).map(|()| text.into()),
    |path| path.display().to_string()
);

impl DurationText {
    pub(super) fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl Address {
    /// The default for `notifications.listen`.
    pub(super) fn notifications() -> Self {
        Self((Ipv4Addr::LOCALHOST, 8787).into())
    }

    /// The default for `status_page.listen`.
    pub(super) fn status_page() -> Self {
        Self((Ipv4Addr::LOCALHOST, 8780).into())
    }
}

/// A string that must not be shown. The schema marks it for editors (`writeOnly`) and for the
/// walker.
pub(super) struct Secret(pub(super) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.into()))
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "writeOnly": true })
    }
}

/// The hash of a password. It is not shown either: an attacker could try guesses on it.
pub(super) struct PasswordHashText(pub(super) PasswordHash);

impl<'de> Deserialize<'de> for PasswordHashText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.trim().parse().map(Self).map_err(de::Error::custom)
    }
}

impl Serialize for PasswordHashText {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("a hash is not written"))
    }
}

impl JsonSchema for PasswordHashText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PasswordHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "casedrop-password-hash", "writeOnly": true })
    }
}

/// `true`, `false`, or `auto` (which is `None`).
#[derive(Clone, Copy, Default)]
pub(super) struct Thumbnails(pub(super) Option<bool>);

impl<'de> Deserialize<'de> for Thumbnails {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Bool(wanted) => Ok(Self(Some(wanted))),
            Value::String(text) if text == "auto" => Ok(Self(None)),
            _ => Err(de::Error::custom("neither auto, true nor false")),
        }
    }
}

impl Serialize for Thumbnails {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(wanted) => to.serialize_bool(wanted),
            None => to.serialize_str("auto"),
        }
    }
}

impl JsonSchema for Thumbnails {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Thumbnails".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["auto", true, false] })
    }
}
