// A page that is opened as a file may not start workers; the search wants one. Where that is so, its script runs in a frame.
(function () {
  if (location.protocol !== "file:") return;
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.onmessage = null;
      const frame = (this.frame = document.createElement("iframe"));
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      const answer = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      // Scripts that the worker imports come one after the other; the promise is for the caller that can wait.
      inside.importScripts = (...addresses) => {
        let last = Promise.resolve();
        for (const each of addresses) last = last.then(() => load(new URL(each, address)));
        return last;
      };
      inside.postMessage = answer;
      const load = (from) =>
        new Promise((resolve, reject) => {
          const script = inside.document.createElement("script");
          script.src = from;
          script.onload = resolve;
          script.onerror = reject;
          inside.document.head.append(script);
        });
      this.ready = load(address);
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
})();
