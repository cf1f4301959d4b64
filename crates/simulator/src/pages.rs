//! The few pages that a person may see.

use axum::http::StatusCode;

use super::call::Pairs;
use super::reply::Reply;
use super::state::Account;

/// The page at `/`.
pub(super) fn index() -> Reply {
    page(
        StatusCode::OK,
        "Simulated Lab Connector API",
        &format!(
            "<p>{}</p><p>Nothing here is a real scan, and no request leaves this computer except \
             to callback URLs that clients registered.</p>\
             <p><a href=\"/admin/state\">State</a></p>",
            escape(super::NOTE)
        ),
    )
}

/// The page for a login that cannot be sent back to the client.
pub(super) fn refused(reason: &str) -> Reply {
    page(StatusCode::BAD_REQUEST, "Sign-in refused", &format!("<p>{}</p>", escape(reason)))
}

/// The sign-in form. It sends back everything in the client's request.
pub(super) fn sign_in(account: &Account, asked: &Pairs) -> Reply {
    let hidden = asked.iter().fold(String::new(), |form, (name, value)| {
        let (name, value) = (escape(name), escape(value));
        form + &format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
    });
    let users = account.users.iter().fold(String::new(), |list, user| {
        let (name, kind) = (escape(&user.name), escape(&user.user_type));
        list + &format!("<option value=\"{name}\">{name} ({kind})</option>")
    });
    page(
        StatusCode::OK,
        "Simulated sign-in",
        &format!(
            "<form method=\"post\" action=\"authorize\">{hidden}\
             <p>Account {} ({})</p>\
             <p><label>User <select name=\"user\">{users}</select></label></p>\
             <p><button name=\"decision\" value=\"approve\">Sign in</button> \
             <button name=\"decision\" value=\"deny\">Deny</button></p></form>",
            escape(&account.name),
            escape(&account.id),
        ),
    )
}

fn page(status: StatusCode, title: &str, body: &str) -> Reply {
    let title = escape(title);
    Reply::html(
        status,
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             </head><body><h1>{title}</h1>{body}</body></html>"
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_clients_send_cannot_become_markup() {
        assert_eq!(escape("\"><b>&"), "&quot;&gt;&lt;b&gt;&amp;");
    }
}
