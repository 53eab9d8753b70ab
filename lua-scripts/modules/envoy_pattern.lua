-- Regular expressions for Higress and MSE, which put .* before and behind them as text.
return function(pattern)
  if string.find(pattern, "|", 1, true) then
    return "(?:" .. pattern .. ")"
  end
  return pattern
end
