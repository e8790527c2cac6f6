import re


class Counter:
    def __init__(self):
        self.counts = {}
        self.total = 0

    def add(self, word):
        self.counts[word] = self.counts.get(word, 0) + 1
        self.total += 1

    def top(self, n):
        entries = [
            {"word": word, "count": count, "share": round(count / self.total, 3)}
            for word, count in self.counts.items()
        ]
        return sorted(entries, key=lambda entry: (-entry["count"], entry["word"]))[:n]


async def words(text):
    return [word for word in re.split("[^a-z]+", text.lower()) if len(word) > 2]


async def run(input):
    counter = Counter()
    for word in await words(input["text"]):
        counter.add(word)
    longest = max(counter.top(100), key=lambda entry: len(entry["word"]))
    return {"total": counter.total, "longest": longest["word"], "top": counter.top(input["top"])}
