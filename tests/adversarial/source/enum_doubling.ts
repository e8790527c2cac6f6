// tries: to have the compiler compute values that double at each step.
// expect: rejected too many enums, or enum values too long

enum Grow {
  A = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', B = `${A}${A}`, C = `${B}${B}`, D = `${C}${C}`, E = `${D}${D}`, F = `${E}${E}`,
  G = `${F}${F}`, H = `${G}${G}`, I = `${H}${H}`, J = `${I}${I}`, K = `${J}${J}`, L = `${K}${K}`, M = `${L}${L}`,
  N = `${M}${M}`, O = `${N}${N}`, P = `${O}${O}`, Q = `${P}${P}`, R = `${Q}${Q}`, S = `${R}${R}`, T = `${S}${S}`,
}
export default async () => Grow.T.length;
