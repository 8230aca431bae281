//! One page of the book in a real browser: it is rendered, the search finds pages, and its picture is not blank.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::book::{book, program};
use crate::harness::Folder;

/// Runs the browser on a page; returns the page as it is after its scripts have run.
fn browse(browser: &Path, profile: &str, url: &str, more: &[&str]) -> String {
    let output = Command::new("timeout")
        .arg("100")
        .arg(browser)
        .args([
            "--no-sandbox",
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ])
        .args([
            "--window-size=1280,900",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={profile}"))
        .args(more)
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .expect("the browser runs");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && page.contains("</html>"),
        "{url}: {}\n{said}",
        output.status
    );
    page
}

/// The same, once the scripts of the page have done what they do some time after it was loaded.
fn browse_until(browser: &Path, profile: &str, url: &str, done: impl Fn(&str) -> bool) -> String {
    let mut page = String::new();
    for _ in 0..10 {
        page = browse(browser, profile, url, &[]);
        if done(&page) {
            return page;
        }
    }
    panic!("{url} does not become what it should be:\n{page}")
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0u32, |number, n| {
            number << 8 | u32::from(*three.get(n).unwrap_or(&0))
        });
        for n in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * n)) as usize & 63];
            text.push(if n <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// A page that counts the colours of a picture, and the pixels of the commonest colour in percent.
fn counting_page(picture: &[u8]) -> String {
    format!(
        "<p id=found></p><img id=picture src=\"data:image/png;base64,{}\"><script>
         window.onload = () => {{
             const canvas = document.createElement('canvas');
             canvas.width = picture.width; canvas.height = picture.height;
             const context = canvas.getContext('2d');
             context.drawImage(picture, 0, 0);
             const pixels = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
             const counts = new Map();
             for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
             const most = Math.max(...counts.values());
             found.textContent = `${{counts.size}} colours, ${{Math.floor(100 * most / pixels.length)}} percent`;
             picture.remove();
         }};</script>",
        base64(picture)
    )
}

#[test]
fn a_page_is_rendered_searched_and_pictured_in_a_browser() {
    let Some(browser) = program(
        "chromium.sh",
        "the book is NOT opened in a browser, which is not here",
    ) else {
        return;
    };
    let Some(book) = book() else { return };
    let folder = Folder::new();
    let page = format!("file://{}/docs/how-it-works.html", book.display());
    let picture = folder.join("page.png");
    let screenshot = format!("--screenshot={picture}");
    let profile = folder.join("profile");

    // The list of pages is made by a script.
    let shown = browse_until(&browser, &profile, &page, |page| {
        page.contains("href=\"../docs/guide.html\"")
    });
    assert_eq!(
        between(&shown, "<title>", "</title>"),
        Some("How it works - pg_tviews")
    );
    browse_until(&browser, &profile, &format!("{page}?search=backlog"), |page| {
        let results = between(page, "id=\"mdbook-searchresults\"", "</ul>").unwrap_or_default();
        results.matches("<li").count() >= 3 && results.contains("operations.html")
    });

    browse(&browser, &profile, &page, &[&screenshot]);
    let counting = folder.join("counting.html");
    let picture = fs::read(&picture).expect("there is a picture");
    fs::write(&counting, counting_page(&picture)).expect("a page can be written");
    let counts = |page: &str| {
        let found = between(page, "<p id=\"found\">", "</p>").unwrap_or_default();
        found
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect::<Vec<u32>>()
    };
    let url = format!("file://{counting}");
    let counted = browse_until(&browser, &profile, &url, |page| counts(page).len() == 2);
    let (colours, commonest) = (counts(&counted)[0], counts(&counted)[1]);
    assert!(
        colours > 50 && commonest < 98,
        "the picture is blank: {colours} colours, {commonest} percent are one"
    );
}
