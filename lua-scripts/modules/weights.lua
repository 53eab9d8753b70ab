-- Divides the weight of a rule's stable destinations between them and the canary.
local weights = {}

-- Whole numbers for the shares parts[i]/denominator, with the same sum (which is whole): by largest remainder, the
-- earlier one first on a tie.
local function round(parts, denominator)
  local count, missing, rest = #parts, 0, {}
  for i = 1, count do
    rest[i] = parts[i] % denominator
    missing = missing + rest[i]
    parts[i] = math.floor(parts[i] / denominator)
  end
  missing = math.floor(missing / denominator)
  while missing > 0 do
    local best = 1
    for i = 2, count do
      if rest[i] > rest[best] then
        best = i
      end
    end
    parts[best] = parts[best] + 1
    rest[best] = -1
    missing = missing - 1
  end
  return parts
end

-- before[i]: the weights as the rule has them, with the sum `sum` above 0.
-- canary_of[i]: which canary destination (1 … canaries) takes its share from this one; nil for other Services, which
--   keep their share of the rule.
-- percent: what the canary gets of the stable share. total: what the weights of the rule add up to afterwards.
-- Gives the weights after, the canary destinations following the others.
function weights.divide(before, canary_of, canaries, percent, sum, total)
  local count = #before
  local factor, denominator = total, 100 * sum
  if total % sum == 0 then
    factor, denominator = total / sum, 100
  end
  local parts = {}
  for i = 1, count + canaries do
    parts[i] = 0
  end
  for i = 1, count do
    local canary = canary_of[i]
    if canary then
      parts[i] = before[i] * (100 - percent) * factor
      parts[count + canary] = parts[count + canary] + before[i] * percent * factor
    else
      parts[i] = before[i] * 100 * factor
    end
  end
  return round(parts, denominator)
end

return weights
