//! `kind = "email"`

use std::path::{Path, PathBuf};

use lettre::message::Mailbox;

use super::super::super::{Email, MailTransport, Smtp, SmtpLogin, SmtpTls};
use super::super::secret::SecretKeys;
use super::super::values::{authority, choice, number, path, text};
use super::super::{Problem, Section, Spot};
use super::template;

/// What a folder of templates may hold, and what is built in.
const TEMPLATES: [&str; 3] = ["subject.txt", "body.txt", "body.html"];
const MAILS: [&str; 4] = ["alert", "digest", "test", "unit_failed"];

pub(super) fn read(section: &Section<'_>) -> Option<Email> {
    let from = section.required("from", address);
    if !section.has("to") {
        section.is_missing("to");
    }
    let to = section.list("to", address);
    if let (Some(to), Some(spot)) = (&to, section.spot("to"))
        && to.is_empty()
    {
        section.taken::<()>(&spot, Err(Problem::new("this mails nobody").help("name at least one address")));
    }
    let templates = section.optional("templates", |spot| {
        let folder = path(spot)?;
        check_templates(&folder)?;
        Ok(folder)
    });
    let transport = transport(section);
    Some(Email { from: from?, to: to?, transport: transport?, templates })
}

fn transport(section: &Section<'_>) -> Option<MailTransport> {
    let sendmail = section.optional("sendmail", path);
    let smtp = section.has("smtp").then(|| smtp(&section.table("smtp")));
    section.know("smtp");
    match (sendmail, smtp) {
        (Some(_), Some(_)) => {
            section.error(Problem::new("`smtp` and `sendmail` exclude each other").help("keep one"));
            None
        }
        (Some(program), None) => Some(MailTransport::Sendmail(program)),
        (None, Some(smtp)) => {
            if smtp.is_none() {
                section.is_wrong();
            }
            smtp.map(MailTransport::Smtp)
        }
        (None, None) => {
            section
                .is_missing_as("smtp", "`smtp = { host = \"…\" }`, or `sendmail = \"/usr/sbin/sendmail\"`".to_owned());
            None
        }
    }
}

fn smtp(section: &Section<'_>) -> Option<Smtp> {
    let host = section.required("host", host);
    let words = [("starttls", SmtpTls::Starttls), ("implicit", SmtpTls::Implicit), ("none", SmtpTls::None)];
    let tls = section.or("tls", "starttls", choice(&words));
    // RFC 6409, RFC 8314, RFC 5321.
    let usual = match tls {
        Some(SmtpTls::Implicit) => 465,
        Some(SmtpTls::None) => 25,
        Some(SmtpTls::Starttls) | None => 587,
    };
    let port = section.or("port", usual, number(1..=65_535));
    let username = section.optional("username", text);
    let password = SecretKeys::PASSWORD.optional(section);
    let ca_file = section.optional("ca_file", authority);
    if !section.has("password_file") && !section.has("credential") && username.is_some() {
        section.is_missing_as("password_file", "`password_file` or `credential` beside `username`".to_owned());
    }
    if !section.has("username") && password.is_some() {
        section.is_missing("username");
    }
    section.finish();
    if section.is_faulty() {
        return None;
    }
    let (host, tls) = (host?, tls?);
    let login = username.zip(password).map(|(username, password)| SmtpLogin { username, password });
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if tls == SmtpTls::None && !is_here {
        let what = if login.is_some() { "mails and the password" } else { "mails" };
        section.warning(Problem::new(format!("{what} travel to {host} without TLS")).help("use `tls = \"starttls\"`"));
    }
    Some(Smtp { host, port: port?, tls, login, ca_file })
}

fn host(spot: &Spot<'_>) -> Result<String, Problem> {
    let host = text(spot)?;
    if host.contains(['/', '@', ' ']) || (host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(Problem::new("this is not the name of a server").help("the port goes into `port`"));
    }
    Ok(host)
}

/// A mail address, with or without a name before it.
fn address(spot: &Spot<'_>) -> Result<String, Problem> {
    let address = text(spot)?;
    let wrong = || {
        Problem::new(format!("`{}` is not a mail address", address.escape_debug()))
            .help("write it like `ops@example.org` or `Operations <ops@example.org>`")
    };
    if address.chars().any(char::is_control) {
        return Err(wrong());
    }
    address.parse::<Mailbox>().map_err(|_| wrong())?;
    Ok(address)
}

/// Every file in the folder takes the place of a built-in template; what nobody would read is a mistake.
fn check_templates(folder: &Path) -> Result<(), Problem> {
    let unreadable =
        |path: &Path, error: std::io::Error| Problem::new(format!("cannot read {}: {error}", path.display()));
    let entries = |path: &Path| -> Result<Vec<PathBuf>, Problem> {
        let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|error| unreadable(path, error))?.path());
        }
        paths.sort();
        Ok(paths)
    };
    for mail in entries(folder)? {
        let name = mail.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !MAILS.contains(&name.as_str()) {
            return Err(Problem::new(format!("{}: there is no mail of this name", mail.display()))
                .help(format!("there are {}", MAILS.map(|mail| format!("`{mail}/`")).join(", "))));
        }
        for file in entries(&mail)? {
            let part = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !TEMPLATES.contains(&part.as_str()) {
                return Err(Problem::new(format!("{}: a mail has no such part", file.display()))
                    .help(format!("there are {}", TEMPLATES.map(|part| format!("`{part}`")).join(", "))));
            }
            let source = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
            template(&format!("{name}/{part}"), &source)?;
        }
    }
    Ok(())
}
