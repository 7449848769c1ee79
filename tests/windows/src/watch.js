// Runs before the page and notes in `window.seen` what its script does: pictures that came through the socket, pictures
// that were drawn, and for every drawn frame how long all script took since the frame before.
{
  const seen = (window.seen = { came: 0, drawn: 0, scripts: [] });
  let script = 0;
  const timed = (act) => (...given) => {
    const began = performance.now();
    try {
      return act(...given);
    } finally {
      script += performance.now() - began;
    }
  };

  window.WebSocket = class extends WebSocket {
    set onmessage(act) {
      super.onmessage = timed((event) => {
        seen.came += 1;
        act(event);
      });
    }
  };

  const upload = OffscreenCanvasRenderingContext2D.prototype.putImageData;
  OffscreenCanvasRenderingContext2D.prototype.putImageData = function (...given) {
    seen.drawn += 1;
    return upload.apply(this, given);
  };

  const next = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (act) =>
    next((time) => {
      timed(act)(time);
      seen.scripts.push(script);
      script = 0;
    });
}
