# Completion of anneal for bash 4 and later. It needs no other scripts. Addresses have = in them, where bash ends words:
# hence the line is read here, and replies leave off what stands before the last =.
_anneal() {
	local line=${COMP_LINE:0:COMP_POINT} words out=() reply directive before
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	local word=${words[-1]//[\\\'\"]/}
	words[-1]=$word
	while IFS= read -r reply; do out+=("$reply"); done < <("${words[0]}" __completeNoDesc "${words[@]:1}" 2>/dev/null)
	[[ ${#out[@]} -gt 0 && ${out[-1]} == :* ]] || return
	directive=${out[-1]#:}
	unset 'out[-1]'
	COMPREPLY=()
	[[ $word == --*=* ]] && word=${word#*=}
	if ((directive & 16)); then
		compopt -o filenames
		while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen -d -- "$word")
		return
	fi
	((directive & 2)) && compopt -o nospace
	((directive & 4)) || compopt -o default
	[[ ${#out[@]} -eq 1 ]] && printf -v 'out[0]' %q "${out[0]}"
	before=${word//[^=]/}
	[[ $COMP_WORDBREAKS == *=* ]] || before=
	for reply in "${out[@]}"; do
		for ((i = 0; i < ${#before}; i++)); do reply=${reply#*=}; done
		COMPREPLY+=("$reply")
	done
}
complete -F _anneal anneal
