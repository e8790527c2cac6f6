class Counter {
  counts = new Map();
  total = 0;

  add(word) {
    this.counts.set(word, (this.counts.get(word) ?? 0) + 1);
    this.total++;
  }

  top(n) {
    return [...this.counts.entries()]
      .map(([word, count]) => ({ word, count, share: Math.round((count / this.total) * 1000) / 1000 }))
      .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
      .slice(0, n);
  }
}

async function words(text) {
  return text.toLowerCase().split(/[^a-z]+/).filter((word) => word.length > 2);
}

export default async function count(input) {
  const counter = new Counter();
  for (const word of await words(input.text)) counter.add(word);
  const longest = counter.top(100).reduce((a, b) => (b.word.length > a.word.length ? b : a));
  return { total: counter.total, longest: longest.word, top: counter.top(input.top) };
}
