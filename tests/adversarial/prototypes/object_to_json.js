// tries: to replace every answer by way of Object.prototype.toJSON. It is the tool's own answer that it replaces.
// expect: output "evil"

Object.prototype.toJSON = () => 'evil';
export default async () => ({ ok: 1 });
