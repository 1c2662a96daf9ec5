//! The mails that Keyhaven sends.
//!
//! A [`Mail`] says what happened; [`render`] makes a subject, a text and an HTML part of it, in the reader's language;
//! a [`Transport`] hands it over: [`Smtp`] to a mail server, [`Folder`] to a directory where a developer looks.
//!
//! # What a mail may contain
//! Subjects and buttons are fixed texts. What users chose (a name, a passkey's name) appears only in mails to an address
//! that is proven to be that account's own, as text, without control characters: nobody can have Keyhaven send their
//! words to a stranger. Links are made from the configured public URL by the caller, never from a request.
//!
//! # Adding a language
//! A file in `locales` with the same messages, and a variant of [`Language`]; a test holds the files together.
//!
//! Absent on purpose: when mails are sent, what they are sent for, retries, and every store. That is the outbox's work.

mod catalogue;
mod folder;
mod language;
mod mail;
mod render;
mod smtp;
mod transport;

pub use folder::Folder;
pub use language::{Language, UnknownLanguage};
pub use mail::{Action, Address, CloneResponse, Content, InvalidAddress, Mail, Occasion, Secret};
pub use render::{NotRendered, Rendered, Sender, render};
pub use smtp::{InvalidSmtpUrl, Smtp};
pub use transport::{DeliveryError, Transport};
