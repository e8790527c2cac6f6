export default (i) => ({ sum: i.a + i.b });
