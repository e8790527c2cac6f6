// tries: to make a clock of another thread that counts.
// expect: output {"escaped":false}

export default async () => ({ escaped: typeof Worker !== 'undefined' });
