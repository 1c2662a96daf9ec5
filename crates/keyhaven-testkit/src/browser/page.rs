//! What a person does with a page, and what a test reads off it.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::Browser;

impl Browser {
    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({"url": url}));
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        self.wait_for("document.readyState === 'complete'");
    }

    /// Evaluates an expression, awaits it where it is a promise, and returns its value.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        self.try_evaluate(expression)
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// As [`Self::evaluate`], what is thrown being a value too.
    ///
    /// # Errors
    /// The exception's description.
    pub fn try_evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let mut answer = self.call("Runtime.evaluate", parameters);
        match answer.get("exceptionDetails") {
            Some(details) => Err(details["exception"]["description"]
                .as_str()
                .unwrap_or("thrown")
                .to_owned()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true, at most a minute.
    pub fn wait_for(&mut self, expression: &str) {
        self.wait_until(expression, |value| *value == Value::Bool(true));
    }

    /// Waits until an expression has such a value, at most a minute.
    fn wait_until(&mut self, expression: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(value) = self.try_evaluate(expression)
                && holds(&value)
            {
                return value;
            }
            if Instant::now() >= until {
                let page = self.try_evaluate("document.body.innerText").unwrap_or_default();
                panic!(
                    "not within a minute: {expression}\ncomplaints: {:?}\npage: {page}",
                    self.complaints()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks the middle of an element with the mouse, as soon as a person could: it is seen, enabled and not covered,
    /// and nothing on the page is busy (`aria-busy`).
    pub fn click(&mut self, selector: &str) {
        let place = format!("({CLICKABLE})({})", json!(selector));
        let middle = self.wait_until(&place, |place| !place.is_null());
        for (kind, buttons) in [("mousePressed", 1), ("mouseReleased", 0)] {
            let event = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "buttons": buttons, "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Clicks a field, and types in place of what it holds.
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate(&format!("document.querySelector({}).select()", json!(selector)));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses and releases a key, for example `Enter` or `Tab`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            _ => (0, key),
        };
        let mut event =
            json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", event);
    }

    /// The text a person reads in an element.
    pub fn text(&mut self, selector: &str) -> String {
        let value = self.evaluate(&format!(
            "document.querySelector({})?.innerText ?? ''",
            json!(selector)
        ));
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Sets the window's width and height in CSS pixels, and whether the person prefers dark.
    pub fn resize(&mut self, width: u32, height: u32, dark: bool) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        // What moves would be photographed half-way.
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        self.call(
            "Emulation.setEmulatedMedia",
            json!({"features": [feature, still]}),
        );
    }

    /// Writes the whole page, also what would have to be scrolled to, to a PNG file.
    pub fn screenshot(&mut self, file: &Path) {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].take();
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let whole = json!({"format": "png", "clip": clip, "captureBeyondViewport": true});
        // Chromium copies a frame, and where it happens to draw none it never answers: then it is asked anew.
        let answer = (0..4)
            .find_map(|_| {
                let patience = Duration::from_secs(20);
                self.connection
                    .call_within(patience, "Page.captureScreenshot", &whole)
            })
            .expect("a picture of the page");
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(answer["data"].as_str().unwrap())
            .unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

/// Where to click an element: its middle, once it is in view; `null` while it cannot be clicked.
const CLICKABLE: &str = r"selector => {
    const element = document.querySelector(selector);
    if (!element || element.disabled || element.ariaDisabled === 'true' || !element.checkVisibility()) return null;
    if ([...document.querySelectorAll('[aria-busy=true]')].some(busy => busy.checkVisibility())) return null;
    element.scrollIntoView({block: 'center', behavior: 'instant'});
    const box = element.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const hit = document.elementFromPoint(x, y);
    return hit && (element.contains(hit) || hit.closest('label')?.control === element) ? [x, y] : null;
}";
