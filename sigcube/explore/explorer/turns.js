const [sent] = cb_obj.data.sent;
if (sent !== cb_obj.data.drawn[0]) {
  const answer = () => { if (cb_obj.data.sent[0] === sent) cb_obj.data = {sent: [sent], drawn: [sent]}; };
  // After the frame that shows the change.
  requestAnimationFrame(() => setTimeout(answer));
}
