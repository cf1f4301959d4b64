//! A user with a browser: follows redirects, keeps cookies, fills in forms.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use url::Url;

/// More pages than any login has.
const MOST_PAGES: usize = 20;

pub(crate) struct Answer {
    pub(crate) status: u16,
    location: Option<String>,
    cookies: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) struct Browser {
    redirect: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// The browser stops before it opens the redirect URL.
    pub(crate) fn new(redirect: &str) -> Self {
        Self { redirect: redirect.to_owned(), cookies: BTreeMap::new() }
    }

    /// Logs in and grants the request; returns the final address.
    pub(crate) fn log_in(&mut self, url: &str) -> String {
        self.visit(url, |page, answer| {
            let prompt = between(&answer.body, "name=\"prompt\" value=\"", "\"");
            let form = [("prompt", prompt), ("login", "anna"), ("password", "any")];
            let action = between(&answer.body, "action=\"", "\"");
            (page.join(action).expect("a URL"), form.map(|(name, value)| (name, value.to_owned())))
        })
    }

    /// Cancels instead of logging in.
    pub(crate) fn cancel(&mut self, url: &str) -> String {
        let login = self.follow(Url::parse(url).expect("a URL"));
        let Ok((_, page)) = login else { panic!("no login page") };
        let end = page.body.find("/abort\"").expect("a way to cancel");
        let start = page.body[..end].rfind("href=\"").expect("a link") + 6;
        let abort = Url::parse(&page.body[start..end + 6]).expect("a URL");
        match self.follow(abort) {
            Err(back) => back,
            Ok((page, answer)) => panic!("not back from {page}: {}", answer.body),
        }
    }

    fn visit(
        &mut self,
        url: &str,
        fill: impl Fn(&Url, &Answer) -> (Url, [(&'static str, String); 3]),
    ) -> String {
        let mut next = Url::parse(url).expect("a URL");
        for _ in 0..MOST_PAGES {
            let (page, answer) = match self.follow(next) {
                Ok(seen) => seen,
                Err(back) => return back,
            };
            let (action, form) = fill(&page, &answer);
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = post(action.as_str(), &form, &self.cookie());
            self.keep(&answer);
            let location = answer.location.unwrap_or_else(|| panic!("no way on: {}", answer.body));
            next = action.join(&location).expect("a URL");
        }
        panic!("the login never ends");
    }

    /// Follows redirects to the next page, or to the redirect URL, which is returned as the error.
    fn follow(&mut self, mut url: Url) -> Result<(Url, Answer), String> {
        for _ in 0..MOST_PAGES {
            if url.as_str().starts_with(&self.redirect) {
                return Err(url.into());
            }
            let answer = call("GET", url.as_str(), None, &self.cookie());
            self.keep(&answer);
            match &answer.location {
                Some(location) => url = url.join(location).expect("a URL"),
                None => return Ok((url, answer)),
            }
        }
        panic!("the redirects never end");
    }

    fn cookie(&self) -> String {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        self.cookies.extend(answer.cookies.iter().cloned());
    }
}

pub(crate) fn get(url: &str) -> Answer {
    call("GET", url, None, "")
}

pub(crate) fn post(url: &str, form: &[(&str, &str)], cookie: &str) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    call("POST", url, Some(&form), cookie)
}

fn call(method: &str, url: &str, form: Option<&str>, cookie: &str) -> Answer {
    let url = Url::parse(url).expect("a URL");
    let host = url.host_str().expect("a host");
    let port = url.port_or_known_default().expect("a port");
    let mut target = url.path().to_owned();
    if let Some(query) = url.query() {
        target = format!("{target}?{query}");
    }
    // With HTTP/1.0 the answer ends with the connection and is never chunked.
    let mut request = format!("{method} {target} HTTP/1.0\r\nHost: {host}:{port}\r\n");
    if !cookie.is_empty() {
        request.extend(["Cookie: ", cookie, "\r\n"]);
    }
    if let Some(form) = form {
        let length = form.len().to_string();
        request += "Content-Type: application/x-www-form-urlencoded\r\n";
        request.extend(["Content-Length: ", &length, "\r\n\r\n", form]);
    } else {
        request += "\r\n";
    }
    let mut stream = TcpStream::connect((host, port)).expect("somebody listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let named = |wanted: &str| {
        let wanted = wanted.to_owned();
        headers.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(&wanted))
    };
    let cookies = named("set-cookie").filter_map(|(_, cookie)| {
        let (name, value) = cookie.split(';').next()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Answer {
        status: status.expect("a status"),
        location: named("location").next().map(|(_, to)| (*to).to_owned()),
        cookies: cookies.collect(),
        body: body.to_owned(),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let start = text.find(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    let text = &text[start + before.len()..];
    &text[..text.find(after).expect("an end")]
}
